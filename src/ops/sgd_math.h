// The rule of SGD as a template over the number type: Vec on the CPU, float in CUDA kernels.
#pragma once

#include "ops/update_math.h"

namespace keel {

// What is the same for all elements of one tensor in one update.
struct SgdScalars {
  float gradient;  // clip coefficient
  float momentum;
  float couple;  // weight decay that is added to the gradient
  bool nesterov;
};

// The new momentum; g becomes the gradient that counts.
template <class V>
KEEL_HD V sgd_momentum(V w, V& g, V m, const SgdScalars& s) {
  g = fma(w, V(s.couple), g * V(s.gradient));
  return fma(m, V(s.momentum), g);
}

template <class V>
KEEL_HD V sgd_direction(V g, V m, const SgdScalars& s) {
  return s.nesterov ? fma(m, V(s.momentum), g) : m;
}

}  // namespace keel
