// Elementary functions as templates over the number type: Vec on the CPU, float in CUDA kernels and
// in references, so that what the CPU tests is what the GPU runs. Within 2 ulp of the true value.
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
KEEL_HD inline float fma(float a, float b, float c) { return ::fmaf(a, b, c); }
KEEL_HD inline float round(float a) { return ::rintf(a); }
KEEL_HD inline float select(bool mask, float yes, float no) { return mask ? yes : no; }
KEEL_HD inline float exp2_int(float n) {
  const int32_t i = (static_cast<int32_t>(n) + 127) << 23;
  float f;
  memcpy(&f, &i, 4);
  return f;
}

// e^x: 2^n e^r with |r| <= ln(2) / 2, a degree-6 polynomial; 0 below -87.3, +inf above 88.7. NaN stays NaN.
template <class V>
KEEL_HD V exp(V x) {
  const V n = round(x * V(1.44269504f));
  const V r = fma(n, V(-1.42860677e-6f), fma(n, V(-0.693145752f), x));
  V p = V(1.38888894e-3f);
  p = fma(p, r, V(8.33333377e-3f));
  p = fma(p, r, V(4.16666679e-2f));
  p = fma(p, r, V(1.66666672e-1f));
  p = fma(p, r, V(0.5f));
  p = fma(p, r, V(1.0f));
  p = fma(p, r, V(1.0f));
  const V m = min(max(n, V(-126.0f)), V(126.0f));
  const V y = p * exp2_int(m) * exp2_int(min(max(n - m, V(-1.0f)), V(2.0f)));
  return select(x < V(-87.3f), V(0.0f), select(x > V(88.72f), V(INFINITY), y));
}

// tanh through e^(2|x|); odd polynomial near 0, where the difference would cancel.
template <class V>
KEEL_HD V tanh(V x) {
  const V a = abs(x);
  const V e = exp(V(2.0f) * min(a, V(10.0f)));
  const V big = V(1.0f) - V(2.0f) / (e + V(1.0f));
  const V s = x * x;
  V p = V(-5.70498872745e-3f);
  p = fma(p, s, V(2.06390887954e-2f));
  p = fma(p, s, V(-5.37397155531e-2f));
  p = fma(p, s, V(1.33314422036e-1f));
  p = fma(p, s, V(-3.33332819422e-1f));
  const V small = fma(p * s, x, x);
  const V signed_big = select(x < V(0.0f), -big, big);
  return select(a < V(0.625f), small, signed_big);
}

template <class V>
KEEL_HD V sigmoid(V x) {
  return V(1.0f) / (V(1.0f) + exp(-x));
}

}  // namespace keel
