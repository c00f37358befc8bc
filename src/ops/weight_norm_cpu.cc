#include <algorithm>
#include <cmath>

#include "backend/vec.h"
#include "core/parallel.h"
#include "ops/weight_norm.h"

namespace keel::kernel {
namespace {

int64_t grain_rows(int64_t columns) { return std::max<int64_t>(1, 16384 / columns); }

float dot(const float* a, const float* b, int64_t n) {
  Vec s(0.0f);
  for_lanes(n, [&](int64_t i, int m) { s = fma(load_n(a + i, m), load_n(b + i, m), s); });
  return reduce_add(s);
}

template <class F>
void for_rows(const Tensor& x, F&& f) {
  parallel_ranges(x.dim(0), grain_rows(x.dim(1)), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) f(r, x.data<float>() + r * x.dim(1));
  });
}

float inverse(float norm) { return norm > 0 ? 1.0f / norm : 0.0f; }

}  // namespace

void row_norms(Cpu&, const RowNorms& a) {
  float* norm = a.norm.data<float>();
  for_rows(a.x,
           [&](int64_t r, const float* row) { norm[r] = std::sqrt(dot(row, row, a.x.dim(1))); });
}

void weight_norm_fwd(Cpu&, const WeightNormFwd& a) {
  const int64_t columns = a.v.dim(1);
  const float* gain = a.gain.data<float>();
  float* norm = a.norm.data<float>();
  with_dtype(a.y.dtype(), [&]<class T>() {
    T* y = a.y.data<T>();
    for_rows(a.v, [&](int64_t r, const float* row) {
      norm[r] = std::sqrt(dot(row, row, columns));
      // In this order a gain that is the norm gives 1.
      const Vec factor(norm[r] > 0 ? gain[r] / norm[r] : 0.0f);
      for_lanes(columns, [&](int64_t i, int n) {
        store_n(y + r * columns + i, load_n(row + i, n) * factor, n);
      });
    });
  });
}

void weight_norm_bwd(Cpu&, const WeightNormBwd& a) {
  const int64_t columns = a.v.dim(1);
  const float *dy = a.dy.data<float>(), *gain = a.gain.data<float>(), *norm = a.norm.data<float>();
  for_rows(a.v, [&](int64_t r, const float* row) {
    const float* g = dy + r * columns;
    const float by = inverse(norm[r]), c = dot(g, row, columns) * by;
    if (a.dgain) {
      float& out = a.dgain.t.data<float>()[r];
      out = a.dgain.add ? out + c : c;
    }
    if (!a.dv) return;
    float* dv = a.dv.t.data<float>() + r * columns;
    const Vec factor(gain[r] * by), along(-c * by);
    for_lanes(columns, [&](int64_t i, int n) {
      Vec d = fma(load_n(row + i, n), along, load_n(g + i, n)) * factor;
      if (a.dv.add) d += load_n(dv + i, n);
      store_n(dv + i, d, n);
    });
  });
}

}  // namespace keel::kernel
