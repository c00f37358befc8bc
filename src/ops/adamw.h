// AdamW (Loshchilov and Hutter, arXiv 1711.05101) over flat f32 memory: one pass reads weight,
// gradient and both moments and writes weight, moments and the bf16 working copy.
#pragma once

#include <cstdint>
#include <span>

#include "core/device.h"
#include "core/dtype.h"
#include "core/step_state.h"
#include "core/tensor.h"

namespace keel::kernel {

// Memory that one thread updates: at most kAdamWPart elements.
struct AdamWPart {
  float* weight;
  const float* grad;
  float *m, *v;
  bf16* copy;  // null: none
  int64_t size;
  bool decay;
};
constexpr int64_t kAdamWPart = 1 << 15;

struct AdamW {
  std::span<const AdamWPart> parts;  // on the device
  double beta1, beta2, eps, weight_decay;
  bool independent;        // decay by factor * weight_decay instead of rate * weight_decay
  const StepState* state;  // rate, factor, clip_coefficient, skip
  Tensor updates;          // i32 [1]: updates made so far, for the bias correction; counted up
};
void adamw(Cpu&, const AdamW&);

}  // namespace keel::kernel
