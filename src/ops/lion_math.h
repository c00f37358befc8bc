// The rule of Lion as a template over the number type: Vec on the CPU, float in CUDA kernels.
#pragma once

#include "ops/update_math.h"

namespace keel {

struct LionScalars {
  float gradient;      // clip coefficient
  float keep1, keep2;  // 1 - beta1, 1 - beta2
};

// The new momentum is left in m; returns the direction, each element -1, 0 or 1.
template <class V>
KEEL_HD V lion_direction(V g, V& m, const LionScalars& s) {
  g = g * V(s.gradient);
  const V c = fma(g - m, V(s.keep1), m);
  m = fma(g - m, V(s.keep2), m);
  return select(c > V(0.0f), V(1.0f), select(c < V(0.0f), V(-1.0f), V(0.0f)));
}

}  // namespace keel
