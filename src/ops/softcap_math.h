// Logit soft-capping as a template over the number type: of the output logits (softcap, the head's
// loss) and of attention's scores (soft_cap).
#pragma once

#include "backend/scalar_math.h"

namespace keel {

// y = cap tanh(scale x / cap), or scale x where cap is 0.
struct SoftcapFormula {
  float scale, cap;

  template <class V>
  KEEL_HD V value(V x) const {
    const V z = V(scale) * x;
    return cap > 0 ? V(cap) * tanh(z * V(1.0f / cap)) : z;
  }
  // dy / dx, given y.
  template <class V>
  KEEL_HD V slope(V y) const {
    if (!(cap > 0)) return V(scale);
    const V t = y * V(1.0f / cap);
    return V(scale) * fma(-t, t, V(1.0f));
  }
};

}  // namespace keel
