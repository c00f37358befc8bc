#include <algorithm>

#include "backend/vec.h"
#include "core/parallel.h"
#include "ops/branch_scale.h"

namespace keel::kernel {
namespace {

Vec factor_at(const float* factor, bool one, int64_t i, int n) {
  return one ? Vec(factor[0]) : load_n(factor + i, n);
}

template <class T>
void forward(const BranchScale& a) {
  const T* x = a.x.data<T>();
  const float* factor = a.factor.data<float>();
  T* y = a.y.data<T>();
  const bool one = a.factor.size() == 1;
  const int64_t c = a.x.dim(-1);
  parallel_ranges(a.x.rows(), kScaleRows, [&](int64_t begin, int64_t end) {
    for (int64_t at = begin * c; at < end * c; at += c) {
      for_lanes(c, [&](int64_t i, int n) {
        store_n(y + at + i, load_n(x + at + i, n) * factor_at(factor, one, i, n), n);
      });
    }
  });
}

template <class T>
void backward(const BranchScaleBwd& a) {
  const T *dy = a.dy.data<T>(), *x = a.x.data<T>();
  const float* factor = a.factor.data<float>();
  T* dx = a.dx.t.data<T>();
  float* partial = a.partial.data<float>();
  const bool one = a.factor.size() == 1, add = a.dx.add;
  const int64_t c = a.dy.dim(-1);
  parallel_ranges(a.dy.rows(), kScaleRows, [&](int64_t begin, int64_t end) {
    float* mine = partial ? partial + begin / kScaleRows * c : nullptr;
    if (mine) std::fill(mine, mine + c, 0.0f);
    for (int64_t at = begin * c; at < end * c; at += c) {
      for_lanes(c, [&](int64_t i, int n) {
        const Vec d = load_n(dy + at + i, n);
        if (mine) store_n(mine + i, fma(d, load_n(x + at + i, n), load_n(mine + i, n)), n);
        if (!dx) return;
        const Vec g = d * factor_at(factor, one, i, n);
        store_n(dx + at + i, add ? g + load_n(dx + at + i, n) : g, n);
      });
    }
  });
}

// Chunks in their order, then, for a single factor, channels in theirs.
void sum_chunks(const BranchScaleBwd& a) {
  const float* partial = a.partial.data<float>();
  float* out = a.dfactor.t.data<float>();
  const int64_t chunks = a.partial.dim(0), c = a.partial.dim(1);
  const auto sum = [&](int64_t i, int n) {
    Vec s(0.0f);
    for (int64_t k = 0; k < chunks; ++k) s += load_n(partial + k * c + i, n);
    return s;
  };
  if (a.factor.size() == 1) {
    double total = 0;
    for_lanes(c, [&](int64_t i, int n) {
      const Vec s = sum(i, n);
      for (int lane = 0; lane < n; ++lane) total += static_cast<double>(s.v[lane]);
    });
    out[0] = static_cast<float>(a.dfactor.add ? total + static_cast<double>(out[0]) : total);
    return;
  }
  for_lanes(c, [&](int64_t i, int n) {
    const Vec s = sum(i, n);
    store_n(out + i, a.dfactor.add ? s + load_n(out + i, n) : s, n);
  });
}

}  // namespace

void branch_scale_fwd(Cpu&, const BranchScale& a) {
  with_dtype(a.x.dtype(), [&]<class T>() { forward<T>(a); });
}

void branch_scale_bwd(Cpu&, const BranchScaleBwd& a) {
  with_dtype(a.dy.dtype(), [&]<class T>() { backward<T>(a); });
  if (a.dfactor) sum_chunks(a);
}

}  // namespace keel::kernel
