// Lion (Chen et al., arXiv 2302.06675, algorithm 2) over flat f32 memory: u = sign(beta1 m + (1 -
// beta1) g); w -= rate * u, and decay; then m = beta2 m + (1 - beta2) g. sign(0) = 0.
#pragma once

#include <cstdint>
#include <span>

#include "core/device.h"
#include "core/step_state.h"
#include "core/tensor.h"
#include "ops/update.h"

namespace keel::kernel {

struct Lion {
  std::span<const UpdatePart> parts;  // on the device; v is not read
  double beta1, beta2, weight_decay;
  bool independent;        // decay by factor * weight_decay instead of rate * weight_decay
  const StepState* state;  // rate, factor, clip_coefficient, skip
  Tensor updates;          // i32 [1]: updates made so far; counted up
};
void lion(Cpu&, const Lion&);

}  // namespace keel::kernel
