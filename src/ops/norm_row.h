// One row of a norm on the CPU: statistics, value, gradient. Used by the norms over the residual
// stream and by the norms per head in front of the rotation, so that both have the same bits.
#pragma once

#include "autograd/var.h"
#include "backend/scalar_math.h"
#include "backend/vec.h"
#include "core/parallel.h"

namespace keel::kernel {

struct RowStats {
  float mean, rstd;  // mean 0 where the norm does not centre
};

template <bool kCentred, class T>
RowStats row_stats(const T* x, int64_t c, float eps) {
  const float n_values = static_cast<float>(c);
  Vec square(0.0f);
  if constexpr (!kCentred) {
    for_lanes(c, [&](int64_t i, int n) {
      const Vec v = load_n(x + i, n);
      square = fma(v, v, square);
    });
    return {0.0f, 1.0f / sqrt(reduce_add(square) / n_values + eps)};
  } else {
    Vec sum(0.0f), rest(0.0f);
    for_lanes(c, [&](int64_t i, int n) { sum += load_n(x + i, n); });
    const float about = reduce_add(sum) / n_values;
    // The deviations' own mean is what rounding left out of the first one.
    for_lanes(c, [&](int64_t i, int n) {
      const Vec d = load_n(x + i, n, about) - Vec(about);
      rest += d;
      square = fma(d, d, square);
    });
    const float correction = reduce_add(rest) / n_values;
    const float variance = reduce_add(square) / n_values - correction * correction;
    return {about + correction, 1.0f / sqrt(max(variance, 0.0f) + eps)};
  }
}

template <bool kCentred>
Vec normed(Vec x, RowStats s) {
  if constexpr (kCentred) x = x - Vec(s.mean);
  return x * Vec(s.rstd);
}

// Values i .. i + n of a normed row; each product and sum is written out, so that every caller has
// the same bits.
template <bool kCentred, class X>
Vec norm_row_value(const X* x, RowStats s, const float* gain, const float* bias, int64_t i, int n) {
  const Vec v = normed<kCentred>(load_n(x + i, n), s);
  if (!gain) return bias ? fma(v, Vec(1.0f), load_n(bias + i, n)) : v;
  return bias ? fma(v, load_n(gain + i, n), load_n(bias + i, n)) : v * load_n(gain + i, n);
}

template <bool kCentred, class X, class Y>
void norm_row(const X* x, RowStats s, const float* gain, const float* bias, Y* y, int64_t c) {
  for_lanes(c, [&](int64_t i, int n) {
    store_n(y + i, norm_row_value<kCentred>(x, s, gain, bias, i, n), n);
  });
}

// With g = gain dy and xhat the normed value: dx = rstd (g - mean(g) - xhat mean(g xhat)); the
// first mean only where the norm centres.
struct RowDots {
  float mean_g, mean_gx;
};

// The row's means, and its share of the gradients of gain and bias added to dgain and dbias (each
// may be null).
template <bool kCentred, class X, class Y>
RowDots norm_row_dots(const X* x, const Y* dy, RowStats s, const float* gain, float* dgain,
                      float* dbias, int64_t c) {
  Vec sum(0.0f), dot(0.0f);
  for_lanes(c, [&](int64_t i, int n) {
    const Vec d = load_n(dy + i, n), xhat = normed<kCentred>(load_n(x + i, n), s);
    const Vec g = gain ? d * load_n(gain + i, n) : d;
    if constexpr (kCentred) sum += g;
    dot = fma(g, xhat, dot);
    if (dgain) store_n(dgain + i, fma(d, xhat, load_n(dgain + i, n)), n);
    if (dbias) store_n(dbias + i, d + load_n(dbias + i, n), n);
  });
  const float n_values = static_cast<float>(c);
  return {kCentred ? reduce_add(sum) / n_values : 0.0f, reduce_add(dot) / n_values};
}

template <bool kCentred, class X, class Y>
Vec norm_row_dx(const X* x, const Y* dy, RowStats s, const float* gain, RowDots dots, int64_t i,
                int n) {
  const Vec d = load_n(dy + i, n), xhat = normed<kCentred>(load_n(x + i, n), s);
  Vec g = gain ? d * load_n(gain + i, n) : d;
  if constexpr (kCentred) g = g - Vec(dots.mean_g);
  return Vec(s.rstd) * fma(-xhat, Vec(dots.mean_gx), g);
}

// dgain and dbias from the sums over chunks of rows, partial f32 [chunks, 2, c].
inline void sum_partials(const float* partial, int64_t chunks, int64_t c, const Grad& dgain,
                         const Grad& dbias) {
  float* out[2] = {dgain.t.data<float>(), dbias.t.data<float>()};
  const bool add[2] = {dgain.add, dbias.add};
  parallel_ranges(c, 256, [&](int64_t begin, int64_t end) {
    for (int which = 0; which < 2; ++which) {
      if (!out[which]) continue;
      for_lanes(end - begin, [&](int64_t offset, int n) {
        const int64_t i = begin + offset;
        Vec s(0.0f);
        for (int64_t k = 0; k < chunks; ++k) s += load_n(partial + (k * 2 + which) * c + i, n);
        store_n(out[which] + i, add[which] ? s + load_n(out[which] + i, n) : s, n);
      });
    }
  });
}

}  // namespace keel::kernel
