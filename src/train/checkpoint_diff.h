// Whether two checkpoints hold the same state: weights, what optimizer, clip and average keep, the
// step and the place in the data. Text files and the numbers of the last step (loss, gradient norm)
// are not state.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "train/checkpoint_files.h"

namespace keel {

struct StateDifference {
  std::string file;            // model.safetensors, state.safetensors or MANIFEST.json
  std::string name;            // of the tensor, or of the manifest's field
  int64_t element = -1;        // the first that differs; -1: the tensor as a whole, or no tensor
  std::vector<int64_t> index;  // the same along each axis
  Json a, b;                   // the values; null where a side has none
  std::string text;            // all of it, for people
};

struct StateComparison {
  std::optional<StateDifference> first;  // none: all state is equal, bit for bit
  int64_t tensors = 0;                   // in one of the two or in both
  int64_t differing = 0;                 // of these
};

// Model before state, each in the order of a's data, then what only b has; then the manifest.
StateComparison compare_state(const LoadedCheckpoint& a, const LoadedCheckpoint& b);

}  // namespace keel
