// One micro-batch of token sequences as the data pipeline hands it to a task. The shift by one
// between inputs and targets is made by the task's reader, never by the model.
#pragma once

#include <cstdint>
#include <vector>

namespace keel {

struct Batch {
  int64_t rows = 0;              // sequences
  int64_t length = 0;            // tokens in a sequence
  std::vector<int32_t> inputs;   // [rows * length]
  std::vector<int32_t> targets;  // [rows * length]
  // [rows * length]: 1 where the target counts, 0 where it does not (prompt, padding).
  std::vector<float> weights;
  // Empty, or [rows * length]: index within the row of the first token of this token's document.
  // Attention stops there and positions restart there.
  std::vector<int32_t> segments;
  std::vector<int32_t> source;  // [rows]: index into the data sources, for the loss of each
};

}  // namespace keel
