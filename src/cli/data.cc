// keel data inspect and keel data show.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <span>

#include "cli/commands.h"
#include "cli/hand_over.h"
#include "cli/output.h"
#include "data/inspect.h"
#include "io/fs.h"
#include "io/utf8.h"
#include "lab/text.h"
#include "train/batch_ramp.h"
#include "train/data_identity.h"
#include "train/evaluate.h"
#include "train/session.h"

namespace keel {
namespace {

Json count(const std::optional<int64_t>& v) { return v ? Json(*v) : Json(nullptr); }

Json summary_json(const DataSummary& d) {
  Json j = Json::object();
  j.set("kind", d.kind).set("files", d.files).set("bytes", d.bytes).set("tokens", d.tokens);
  j.set("documents", count(d.documents)).set("vocab", d.vocab).set("max_id", d.max_id);
  j.set("distinct", count(d.distinct));
  j.set("entropy_nats", d.entropy_nats ? Json(*d.entropy_nats) : Json(nullptr));
  j.set("first", Json::array_of(d.first)).set("first_text", valid_utf8(d.first_text));
  return j;
}

std::string summary_text(const DataSummary& d) {
  std::string out = fmt::format("kind       {}\nfiles      {}\nsize       {}\ntokens     {}\n",
                                d.kind, grouped(d.files), short_bytes(d.bytes), grouped(d.tokens));
  if (d.documents) out += fmt::format("documents  {}\n", grouped(*d.documents));
  out += fmt::format("vocab      {} ids, the largest is {}", grouped(d.vocab), grouped(d.max_id));
  if (d.distinct) out += fmt::format(", {} occur", grouped(*d.distinct));
  out += '\n';
  if (d.entropy_nats) {
    out += fmt::format("entropy    {:.4f} nats a token, by frequency alone\n", *d.entropy_nats);
  }
  out += fmt::format("ids        {} ...\n", fmt::join(d.first, " "));
  return out + fmt::format("text       {}\n", shown_text(d.first_text));
}

// Why what is shown may not be what the run has read.
void say_doubts(const DataShowArgs& args, const TrainedModel& m, const Dataset& data) {
  if (args.step > m.step) {
    say(fmt::format("note: {} has done {} steps: step {} is still to come", m.path, m.step,
                    args.step));
  }
  std::vector<std::string> notes;
  const auto changes = changes_since_start(real_fs(), args.run, data, notes);
  for (const std::string& n : notes) say("note: " + n);
  if (changes.empty()) return;
  say(fmt::format("warning: the data of {} is not what it was when the run began:\n  {}", args.run,
                  fmt::join(changes, "\n  ")));
}

}  // namespace

int run(const DataInspectArgs& args) {
  const DataSummary d = inspect(args.file);
  if (args.json) {
    print_json(summary_json(d));
  } else {
    print(summary_text(d));
  }
  return kExitOk;
}

int run(const DataShowArgs& args) {
  check_number("--step", args.step, 1);
  const TrainedModel m = open_trained_model(args.run);
  const RunConfig& c = m.config;
  const auto data = Dataset::open(c.data, c.dataset_args());
  say_doubts(args, m, *data);
  const auto task = tasks().make(c.task);
  const DeviceKind device = m.model->parameters().device();
  Arena arena(device);
  BatchTensors inputs(c.train.batch, c.model.context, device);
  Evaluator evaluator(*m.model, *task, arena, inputs);
  const BatchRamp ramp(c);
  const int64_t begin = ramp.sequences_before(args.step - 1);
  print(fmt::format("step {}: sequences {} to {}, losses with the weights of {}\n", args.step,
                    begin, ramp.sequences_before(args.step) - 1, m.path));
  Batch batch;
  for (int64_t micro = 0; micro < ramp.micro_batches(args.step - 1); ++micro) {
    const int64_t first = begin + micro * c.train.batch;
    data->train_batch(first, c.train.batch, batch);
    const std::vector<double> losses = evaluator.row_losses(batch);
    for (int64_t r = 0; r < batch.rows; ++r) {
      const Place place = data->train_place(first + r);
      const std::span<const int32_t> ids(&batch.inputs[static_cast<size_t>(r * batch.length)],
                                         static_cast<size_t>(batch.length));
      print(fmt::format("\nsequence {}  source {}{}{}  {} {}  loss {:.4f}\n{}\n", first + r,
                        place.source, place.file.empty() ? "" : "  file ", place.file, place.unit,
                        place.offset, losses[static_cast<size_t>(r)],
                        shown_text(decode(*m.tokenizer, ids))));
    }
  }
  return kExitOk;
}

}  // namespace keel
