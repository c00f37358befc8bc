// Everything that changes from step to step lies here, on the device, and is read through a
// pointer by the kernels that need it: no host value is needed between the gradient norm and the
// optimizer, so a step can be captured as a graph.
#pragma once

#include <cstdint>

namespace keel {

struct StepState {
  int64_t step = 0;  // optimizer steps done before this one
  uint64_t seed_dropout = 0;
  uint64_t micro_step = 0;     // random step: rows are numbered over the global batch
  int64_t first_row = 0;       // row of this micro-batch's first sequence in the global batch
  float rate = 0;              // learning rate of this step
  float factor = 0;            // rate / peak rate
  double momentum = -1;        // from the schedule; negative: the optimizer's own
  float loss_scale = 0;        // 1 / target tokens of the global batch
  double grad_norm = 0;        // before clipping, f64
  float clip_coefficient = 1;  // what gradients are multiplied by
  int32_t skip = 0;            // 1: the optimizer leaves everything as it is (a select, not x 0)
  int32_t nonfinite = 0;       // 1: the gradient norm or loss is not finite
};

}  // namespace keel
