// The AdamW update rule as a template over the number type: Vec on the CPU, float in CUDA kernels.
#pragma once

#include <cmath>

#include "backend/scalar_math.h"
#include "core/step_state.h"
#include "ops/update_math.h"

namespace keel {

// What is the same for all elements of one update.
struct AdamWScalars {
  float gradient;      // clip coefficient
  float keep1, keep2;  // 1 - beta1, 1 - beta2
  float beta2;
  float root_correction;  // 1 / sqrt(1 - beta2^t)
  float eps;
  float step;     // rate / (1 - beta1^t)
  double unbias;  // 1 / (1 - beta1^t)
};

// t = 1 for the first update. Where the schedule changes beta1 from step to step, the first moment
// is corrected as if this step's had held in all of them, as PyTorch does.
KEEL_HD inline AdamWScalars adamw_scalars(const StepState& s, double own_beta1, double beta2,
                                          double eps, double t) {
  const double beta1 = momentum_in_force(s, own_beta1);
  return {s.clip_coefficient,
          static_cast<float>(1 - beta1),
          static_cast<float>(1 - beta2),
          static_cast<float>(beta2),
          static_cast<float>(1 / ::sqrt(1 - ::pow(beta2, t))),
          static_cast<float>(eps),
          static_cast<float>(s.rate / (1 - ::pow(beta1, t))),
          1 / (1 - ::pow(beta1, t))};
}

template <class V>
KEEL_HD void adamw_moments(V g, V& m, V& v, const AdamWScalars& s) {
  g = g * V(s.gradient);
  m = fma(g - m, V(s.keep1), m);
  v = fma(g * g, V(s.keep2), v * V(s.beta2));
}

// Up to the first moment's bias correction, which is part of the step.
template <class V>
KEEL_HD V adamw_direction(V m, V v, const AdamWScalars& s) {
  return m / fma(sqrt(v), V(s.root_correction), V(s.eps));
}

// PyTorch's order of operations: decay, then moments, then the step (s.step, times what the tensor
// has of its own).
template <class V>
KEEL_HD void adamw_update(V& w, V g, V& m, V& v, V shrink, V step, const AdamWScalars& s) {
  adamw_moments(g, m, v, s);
  w = w * shrink - step * adamw_direction(m, v, s);
}

}  // namespace keel
