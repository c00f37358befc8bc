// AdamW (Loshchilov and Hutter, arXiv 1711.05101) over flat f32 memory: one pass reads weight,
// gradient and both moments and writes weight, moments and the bf16 working copy.
#pragma once

#include <cstdint>
#include <span>

#include "core/device.h"
#include "core/step_state.h"
#include "core/tensor.h"
#include "ops/update.h"

namespace keel::kernel {

struct AdamW {
  std::span<const UpdatePart> parts;  // on the device
  double beta1, beta2, eps, weight_decay;
  bool independent;        // decay by factor * weight_decay instead of rate * weight_decay
  const StepState* state;  // rate, factor, momentum, clip_coefficient, skip
  Tensor updates;          // i32 [1]: updates made so far, for the bias correction; counted up
  // Not 0: of each tensor the root mean square of the update (before rate and decay) is held at or
  // below this. A second pass over the moments.
  double update_clip = 0;
  UpdateSums sums{};
};
void adamw(Cpu&, const AdamW&);

}  // namespace keel::kernel
