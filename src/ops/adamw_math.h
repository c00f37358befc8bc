// The AdamW update rule as a template over the number type: Vec on the CPU, float in CUDA kernels.
#pragma once

#include <cmath>

#include "backend/scalar_math.h"
#include "core/step_state.h"

namespace keel {

// What is the same for all elements of one update.
struct AdamWScalars {
  float gradient;      // clip coefficient
  float keep1, keep2;  // 1 - beta1, 1 - beta2
  float beta2;
  float root_correction;  // 1 / sqrt(1 - beta2^t)
  float eps;
  float step;    // rate / (1 - beta1^t)
  float shrink;  // 1 - decay of this step
};

// t = 1 for the first update.
KEEL_HD inline AdamWScalars adamw_scalars(const StepState& s, double beta1, double beta2,
                                          double eps, double weight_decay, bool independent,
                                          double t) {
  const double decay = static_cast<double>(independent ? s.factor : s.rate) * weight_decay;
  return {s.clip_coefficient,
          static_cast<float>(1 - beta1),
          static_cast<float>(1 - beta2),
          static_cast<float>(beta2),
          static_cast<float>(1 / ::sqrt(1 - ::pow(beta2, t))),
          static_cast<float>(eps),
          static_cast<float>(s.rate / (1 - ::pow(beta1, t))),
          static_cast<float>(1 - decay)};
}

// PyTorch's order of operations: decay, then moments, then the step.
template <class V>
KEEL_HD void adamw_update(V& w, V g, V& m, V& v, V shrink, const AdamWScalars& s) {
  g = g * V(s.gradient);
  m = fma(g - m, V(s.keep1), m);
  v = fma(g * g, V(s.keep2), v * V(s.beta2));
  const V denominator = fma(sqrt(v), V(s.root_correction), V(s.eps));
  w = w * shrink - V(s.step) * (m / denominator);
}

}  // namespace keel
