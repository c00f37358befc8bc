#include "train/state_hash.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/device_memory.h"
#include "core/error.h"
#include "io/hash.h"
#include "train/checkpoint_state.h"

namespace keel {
namespace {

// A tensor of either road: of the trainer, or of a checkpoint's file.
struct Part {
  std::string head;  // which of the two files, name, dtype, shape
  const void* data = nullptr;
  uint64_t bytes = 0;
  Tensor held;  // keeps the bytes alive
};

std::string head_of(std::string_view kind, std::string_view name, std::string_view dtype,
                    const std::vector<int64_t>& shape) {
  return fmt::format("{} {} {} [{}]\n", kind, name, dtype, fmt::join(shape, ","));
}

std::string hash_of(int64_t step, int64_t sequences, std::vector<Part> parts) {
  std::sort(parts.begin(), parts.end(),
            [](const Part& a, const Part& b) { return a.head < b.head; });
  Xxh3 hash;
  const std::string numbers = fmt::format("step {}\nsequences {}\n", step, sequences);
  hash.update(numbers.data(), numbers.size());
  for (const Part& p : parts) {
    hash.update(p.head.data(), p.head.size());
    hash.update(p.data, p.bytes);
  }
  return hash.hex();
}

Part part_of(std::string_view kind, const StateTensor& s) {
  const Tensor here = moved_to(s.tensor, DeviceKind::kCpu);
  return {head_of(kind, s.name, safetensors_name(here.dtype()), extents(here.shape())), here.raw(),
          here.bytes(), here};
}

void add_file(const SafetensorsFile& file, std::string_view kind, std::vector<Part>& parts) {
  for (const TensorEntry& t : file.tensors()) {
    parts.push_back({head_of(kind, t.name, t.dtype, t.shape), file.data(t), t.bytes, {}});
  }
}

}  // namespace

std::string state_hash(const Trainer& trainer) {
  const StateParts all = state_parts(trainer);
  std::vector<Part> parts;
  parts.reserve(all.model.size() + all.state.size());
  for (const StateTensor& s : all.model) parts.push_back(part_of("model", s));
  for (const StateTensor& s : all.state) parts.push_back(part_of("state", s));
  const int64_t step = trainer.steps_done();
  return hash_of(step, trainer.sequences_in(step), std::move(parts));
}

std::string state_hash(const LoadedCheckpoint& checkpoint) {
  const Json* sequences = checkpoint.extra.find("sequences");
  if (sequences == nullptr || !sequences->is_integer()) {
    throw DataError(fmt::format("{}: its manifest does not say the place in the data (sequences)",
                                checkpoint.path));
  }
  std::vector<Part> parts;
  add_file(checkpoint.model, "model", parts);
  add_file(checkpoint.state, "state", parts);
  return hash_of(checkpoint.step, sequences->as_int(), std::move(parts));
}

}  // namespace keel
