#include <algorithm>

#include "backend/vec.h"
#include "core/parallel.h"
#include "ops/activation_math.h"
#include "ops/gated.h"

namespace keel::kernel {
namespace {

int64_t grain_rows(int64_t h) { return std::max<int64_t>(1, 8192 / std::max<int64_t>(h, 1)); }

template <class T, class Formula>
void forward(const GatedFwd& a) {
  const int64_t h = a.y.dim(-1);
  const T* x = a.gate_up.data<T>();
  T* y = a.y.data<T>();
  parallel_ranges(a.y.rows(), grain_rows(h), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const T *gate = x + r * 2 * h, *up = gate + h;
      for_lanes(h, [&](int64_t i, int n) {
        store_n(y + r * h + i, Formula::value(load_n(gate + i, n)) * load_n(up + i, n), n);
      });
    }
  });
}

template <class T, class Formula>
void backward(const GatedBwd& a) {
  const int64_t h = a.dy.dim(-1);
  const T *x = a.gate_up.data<T>(), *dy = a.dy.data<T>();
  T* dx = a.dgate_up.t.data<T>();
  const bool add = a.dgate_up.add;
  parallel_ranges(a.dy.rows(), grain_rows(h), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const T *gate = x + r * 2 * h, *up = gate + h;
      T *dgate = dx + r * 2 * h, *dup = dgate + h;
      for_lanes(h, [&](int64_t i, int n) {
        const Vec d = load_n(dy + r * h + i, n), g = load_n(gate + i, n);
        const Vec to_gate = d * load_n(up + i, n) * Formula::slope(g);
        const Vec to_up = d * Formula::value(g);
        store_n(dgate + i, add ? to_gate + load_n(dgate + i, n) : to_gate, n);
        store_n(dup + i, add ? to_up + load_n(dup + i, n) : to_up, n);
      });
    }
  });
}

}  // namespace

void gated_fwd(Cpu&, const GatedFwd& a) {
  with_dtype(a.y.dtype(), [&]<class T>() {
    with_activation(a.kind, [&]<class Formula>() { forward<T, Formula>(a); });
  });
}

void gated_bwd(Cpu&, const GatedBwd& a) {
  if (!a.dgate_up) return;
  with_dtype(a.dy.dtype(), [&]<class T>() {
    with_activation(a.kind, [&]<class Formula>() { backward<T, Formula>(a); });
  });
}

}  // namespace keel::kernel
