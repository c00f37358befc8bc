// Batch-size warm-up: the number of micro-batches in a step grows by an increment at equal
// intervals of trained tokens until it is train.accumulate (Megatron's rampup_batch_size).
// Everything about it is a function of the step, so there is nothing to save.
#pragma once

#include <cstdint>
#include <vector>

namespace keel {

struct RunConfig;

class BatchRamp {
 public:
  explicit BatchRamp(const RunConfig& config);

  // Of step s, counted from 0.
  int64_t micro_batches(int64_t step) const { return stage_of(step).micro_batches; }
  // Sequences of all steps before it, which is the number of its first one.
  int64_t sequences_before(int64_t step) const;
  // What a schedule takes for the step: full batches seen at its end, less one.
  double clock(int64_t step) const;

 private:
  struct Stage {
    int64_t first_step, first_sequence, micro_batches;
  };
  const Stage& stage_of(int64_t step) const;

  int64_t rows_;  // of a micro-batch
  std::vector<Stage> stages_;
};

}  // namespace keel
