// Formulas that the update rules share, for one element or one tensor.
#pragma once

#include <cmath>

#include "backend/scalar_math.h"
#include "core/step_state.h"

namespace keel {

// What decay leaves of a weight in this step: 1 - rate * weight_decay, or, where it is independent
// of the peak rate, 1 - factor * weight_decay. `rate` and `decay` are the tensor's multipliers.
KEEL_HD inline float kept_weight(const StepState& s, double weight_decay, bool independent,
                                 double rate, double decay) {
  const double per_step = independent ? s.factor : static_cast<double>(s.rate) * rate;
  return static_cast<float>(1 - per_step * weight_decay * decay);
}

// Decay rate of the momentum: the schedule's where it has one.
KEEL_HD inline double momentum_in_force(const StepState& s, double own) {
  return s.momentum < 0 ? own : s.momentum;
}

// 1 / max(1, rms / bound): what holds the root mean square of an update at the bound.
KEEL_HD inline float update_clip(double rms, double bound) {
  return rms > bound ? static_cast<float>(bound / rms) : 1.0f;
}

}  // namespace keel
