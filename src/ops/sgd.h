// Stochastic gradient descent with momentum over flat f32 memory, as PyTorch defines it (Sutskever
// et al., 2013, without dampening): b = momentum * b + g; the update is b or, Nesterov's, g +
// momentum
// * b; w -= rate * update. Coupled decay is part of g: g += weight_decay * w.
#pragma once

#include <cstdint>
#include <span>

#include "core/device.h"
#include "core/step_state.h"
#include "core/tensor.h"
#include "ops/update.h"

namespace keel::kernel {

enum class SgdDecay { kCoupled, kRate, kIndependent };

struct Sgd {
  std::span<const UpdatePart> parts;  // on the device; m is the momentum, null without
  double momentum;
  bool nesterov;
  double weight_decay;
  SgdDecay decay;
  const StepState* state;  // rate, factor, momentum, clip_coefficient, skip
  Tensor updates;          // i32 [1]: updates made so far; counted up
  double update_clip = 0;  // as kernel::AdamW has it
  UpdateSums sums{};
};
void sgd(Cpu&, const Sgd&);

}  // namespace keel::kernel
