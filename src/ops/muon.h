// What Muon does to a matrix around its iterations (ops/newton_schulz.h).
#pragma once

#include <cstdint>

#include "core/device.h"
#include "core/step_state.h"
#include "core/tensor.h"

namespace keel::kernel {

// m = momentum m + (1 - momentum) g; u = m or, Nesterov's, momentum m + (1 - momentum) g once more;
// x = u / (|u|_F + 1e-7).
struct MuonMomentum {
  Tensor grad, m, x;  // f32, contiguous, of one size
  double momentum;
  bool nesterov;
  const StepState* state;  // clip_coefficient, skip
  Tensor partial;          // memory of one f64 for each kUpdatePart elements
};
void muon_momentum(Cpu&, const MuonMomentum&);

// w = w * (what decay leaves) - rate * scale * x.
struct MuonApply {
  Tensor weight, copy, x;
  double scale, weight_decay, rate, decay;  // the last two: multipliers of the tensor
  bool independent;
  const StepState* state;  // rate, factor, skip
};
void muon_apply(Cpu&, const MuonApply&);

}  // namespace keel::kernel
