// StableAdamW (Wortsman et al., arXiv 2304.13013, algorithm 2): AdamW whose rate is divided, in
// each tensor, by max(1, RMS_t), RMS_t = sqrt(mean(g^2 / max(v_hat, eps^2))), v_hat the second
// moment with its bias corrected. Decay by the rate uses the divided rate, as the algorithm has it.
#pragma once

#include <cstdint>
#include <span>

#include "core/device.h"
#include "core/step_state.h"
#include "core/tensor.h"
#include "ops/update.h"

namespace keel::kernel {

struct StableAdamW {
  std::span<const UpdatePart> parts;  // on the device
  double beta1, beta2, eps, weight_decay;
  bool independent;        // decay by factor * weight_decay: not divided
  const StepState* state;  // rate, factor, momentum, clip_coefficient, skip
  Tensor updates;          // i32 [1]: updates made so far; counted up
  UpdateSums sums;
};
void stable_adamw(Cpu&, const StableAdamW&);

}  // namespace keel::kernel
