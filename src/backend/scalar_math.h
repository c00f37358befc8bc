// Elementary functions as templates over the number type: Vec on the CPU, float in CUDA kernels and
// in references, so that what the CPU tests is what the GPU runs. Within 2 ulp of the true value
// (tanh, sigmoid and erf 3) where that is a normal number; a NaN stays a NaN. Polynomials: least
// squares on Chebyshev nodes, reweighted until the largest relative error is smallest.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#ifdef __CUDACC__
#define KEEL_HD __host__ __device__
#else
#define KEEL_HD
#endif

namespace keel {

KEEL_HD inline float max(float a, float b) { return a > b ? a : b; }
KEEL_HD inline float min(float a, float b) { return a < b ? a : b; }
KEEL_HD inline float abs(float a) { return ::fabsf(a); }
KEEL_HD inline float sqrt(float a) { return ::sqrtf(a); }
KEEL_HD inline float reciprocal(float a) { return 1.0f / a; }
KEEL_HD inline float fma(float a, float b, float c) { return ::fmaf(a, b, c); }
KEEL_HD inline float round(float a) { return ::rintf(a); }
KEEL_HD inline float select(bool mask, float yes, float no) { return mask ? yes : no; }
KEEL_HD inline float scale2(float p, float n) { return ::ldexpf(p, static_cast<int>(n)); }

// e^x = 2^n (1 + q), |q| < 0.42 to full relative accuracy.
template <class V>
struct ExpParts {
  V n, q;
};

// |x| <= 105.
template <class V>
KEEL_HD ExpParts<V> exp_parts(V x) {
  const V n = round(x * V(1.44269504f));
  const V r = fma(n, V(-1.42860677e-6f), fma(n, V(-0.693145752f), x));  // x - n ln(2)
  V p = V(1.3882519e-3f);
  p = fma(p, r, V(8.36652052e-3f));
  p = fma(p, r, V(4.16672006e-2f));
  p = fma(p, r, V(0.166665435f));
  p = fma(p, r, V(0.49999997f));
  return {n, fma(p * r, r, r)};
}

// 0 below -104, infinity above 88.8. Constants come first in min and max: a NaN passes.
template <class V>
KEEL_HD V exp(V x) {
  const auto [n, q] = exp_parts(min(V(89.0f), max(V(-104.0f), x)));
  return scale2(V(1.0f) + q, n);
}

// u / (u + 2) with u = e^(2|x|) - 1, which the parts give without cancellation.
template <class V>
KEEL_HD V tanh(V x) {
  const auto [n, q] = exp_parts(min(V(20.0f), V(2.0f) * abs(x)));
  const V power = scale2(V(1.0f), n);
  const V u = fma(power, q, power - V(1.0f));
  const V t = u / (u + V(2.0f));
  return select(x < V(0.0f), -t, t);
}

// 1 - e^(-polynomial) from 0.93 on (1 from 4 on), an odd polynomial before.
template <class V>
KEEL_HD V erf(V x) {
  const V a = min(V(4.0f), abs(x));
  V p = V(-1.98220703e-4f);
  p = fma(p, a, V(3.06549971e-3f));
  p = fma(p, a, V(-2.23152488e-2f));
  p = fma(p, a, V(0.104113743f));
  p = fma(p, a, V(0.636976004f));
  p = fma(p, a, V(1.12779725f));
  p = fma(p, a, V(1.66439087e-4f));
  const V tail = V(1.0f) - exp(-p);
  const V s = x * x;
  V o = V(-5.95388236e-4f);
  o = fma(o, s, V(4.98597417e-3f));
  o = fma(o, s, V(-2.67617498e-2f));
  o = fma(o, s, V(0.11281684f));
  o = fma(o, s, V(-0.376124799f));
  o = fma(o, s, V(1.12837911f));
  return select(a < V(0.93f), x * o, select(x < V(0.0f), -tail, tail));
}

template <class V>
KEEL_HD V sigmoid(V x) {
  return reciprocal(V(1.0f) + exp(-x));
}

}  // namespace keel
