#include "train/checkpoint.h"

#include <fmt/format.h>

#include <set>

#include "core/device_memory.h"
#include "core/error.h"
#include "train/checkpoint_store.h"

namespace keel {
namespace {

void copy_in(const SafetensorsFile& file, const std::string& name, const Tensor& t) {
  if (t.device() == DeviceKind::kCpu) {
    file.copy_to(name, safetensors_name(t.dtype()), extents(t.shape()), t.raw());
    return;
  }
  const Tensor host = persistent(t.shape(), t.dtype(), DeviceKind::kCpu, "a checkpoint's tensor");
  file.copy_to(name, safetensors_name(t.dtype()), extents(t.shape()), host.raw());
  write(t, host.raw());
}

}  // namespace

CheckpointContent checkpoint_content(const Trainer& trainer, const CheckpointState& state,
                                     const std::string& config) {
  CheckpointContent content;
  content.model = state.model();
  content.state = state.state();
  content.files = {{"config.toml", config}, {"tokenizer.json", trainer.data().tokenizer().save()}};
  return content;
}

void set_numbers(CheckpointContent& content, const Trainer& trainer,
                 const CheckpointNumbers& numbers) {
  content.step = trainer.steps_done();
  content.extra = Json::object();
  content.extra.set("loss", numbers.loss);
  content.extra.set("grad_norm", numbers.grad_norm);
  if (const auto best = numbers.progress.best_val_loss) {
    content.extra.set("best_val_loss", *best);
  }
  content.extra.set("evaluations_since", numbers.progress.evaluations_since);
  content.extra.set("sequences", trainer.sequences_in(trainer.steps_done()));
  content.extra.set("vocab", trainer.model().vocab());
  content.extra.set("data", trainer.data().fingerprint());
}

std::optional<EvaluationProgress> progress_in(const LoadedCheckpoint& checkpoint) {
  const Json* best = checkpoint.extra.find("best_val_loss");
  const Json* since = checkpoint.extra.find("evaluations_since");
  if (since == nullptr || !since->is_integer()) return std::nullopt;
  EvaluationProgress p;
  p.evaluations_since = since->as_int();
  if (best != nullptr && best->is_number()) p.best_val_loss = best->as_double();
  return p;
}

void load_weights(const SafetensorsFile& file, Decoder& model) {
  Parameters& parameters = model.parameters();
  for (const Parameter& p : parameters.list()) copy_in(file, p.name, p.weight);
  for (const Parameters::Buffer& b : parameters.buffers()) copy_in(file, b.name, b.tensor);
  if (file.tensors().size() != parameters.list().size() + parameters.buffers().size()) {
    for (const TensorEntry& t : file.tensors()) {
      bool known = false;
      for (const Parameters::Buffer& b : parameters.buffers()) known |= b.name == t.name;
      for (const Parameter& p : parameters.list()) known |= p.name == t.name;
      if (!known) {
        throw DataError(
            fmt::format("{}: tensor {} is not part of this model", file.path(), t.name));
      }
    }
  }
  parameters.refresh_copies();
}

std::vector<std::string> load_weights(const std::string& from, Decoder& model) {
  if (!real_fs().is_dir(from)) {
    load_weights(SafetensorsFile(from), model);
    return {};
  }
  const NewestCheckpoint newest = load_run_or_checkpoint(from);
  load_weights(newest.found->model, model);
  return skipped_lines(newest.skipped);
}

void load_trainer(const LoadedCheckpoint& checkpoint, Trainer& trainer, bool changed) {
  load_weights(checkpoint.model, trainer.model());
  std::set<std::string_view> used;
  const std::vector<StateTensor> state = trainer.state();
  for (const StateTensor& s : state) {
    copy_in(checkpoint.state, s.name, s.tensor);
    used.insert(s.name);
  }
  for (const TensorEntry& t : checkpoint.state.tensors()) {
    if (changed || used.contains(t.name)) continue;
    throw DataError(fmt::format("{}: tensor {} is not part of this run's state",
                                checkpoint.state.path(), t.name));
  }
  trainer.restored(checkpoint.step);
}

}  // namespace keel
