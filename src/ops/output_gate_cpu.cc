#include <algorithm>

#include "backend/scalar_math.h"
#include "backend/vec.h"
#include "core/parallel.h"
#include "ops/output_gate.h"

namespace keel::kernel {
namespace {

// Runs of values that share a gate: one head, or (run 1) none.
int64_t run_of(const Tensor& x, const Tensor& gate) {
  return x.size() == gate.size() ? 1 : x.dim(3);
}

template <class T>
void forward(const OutputGateFwd& a) {
  const T *x = a.x.data<T>(), *gate = a.gate.data<T>();
  T* y = a.y.data<T>();
  const int64_t run = run_of(a.x, a.gate);
  parallel_ranges(a.gate.size(), std::max<int64_t>(1, 8192 / run), [&](int64_t begin, int64_t end) {
    if (run == 1) {
      for_lanes(end - begin, [&](int64_t i, int n) {
        const Vec s = sigmoid(load_n(gate + begin + i, n));
        store_n(y + begin + i, load_n(x + begin + i, n) * s, n);
      });
      return;
    }
    for (int64_t g = begin; g < end; ++g) {
      const Vec s = sigmoid(Vec(static_cast<float>(gate[g])));
      for_lanes(run, [&](int64_t i, int n) {
        store_n(y + g * run + i, load_n(x + g * run + i, n) * s, n);
      });
    }
  });
}

template <class T>
void put(const Grad& to, int64_t i, Vec v, int n) {
  if (!to) return;
  T* p = to.t.data<T>() + i;
  store_n(p, to.add ? v + load_n(p, n) : v, n);
}

template <class T>
void backward(const OutputGateBwd& a) {
  const T *x = a.x.data<T>(), *gate = a.gate.data<T>(), *dy = a.dy.data<T>();
  const int64_t run = run_of(a.x, a.gate);
  parallel_ranges(a.gate.size(), std::max<int64_t>(1, 8192 / run), [&](int64_t begin, int64_t end) {
    if (run == 1) {
      for_lanes(end - begin, [&](int64_t offset, int n) {
        const int64_t i = begin + offset;
        const Vec s = sigmoid(load_n(gate + i, n)), d = load_n(dy + i, n);
        const Vec dgate = d * load_n(x + i, n) * s * (Vec(1.0f) - s);
        put<T>(a.dx, i, d * s, n);
        put<T>(a.dgate, i, dgate, n);
      });
      return;
    }
    for (int64_t g = begin; g < end; ++g) {
      const Vec s = sigmoid(Vec(static_cast<float>(gate[g])));
      Vec sum(0.0f);
      for_lanes(run, [&](int64_t offset, int n) {
        const int64_t i = g * run + offset;
        const Vec d = load_n(dy + i, n);
        sum = fma(d, load_n(x + i, n), sum);
        put<T>(a.dx, i, d * s, n);
      });
      put<T>(a.dgate, g, Vec(reduce_add(sum)) * s * (Vec(1.0f) - s), 1);
    }
  });
}

}  // namespace

void output_gate_fwd(Cpu&, const OutputGateFwd& a) {
  with_dtype(a.x.dtype(), [&]<class T>() { forward<T>(a); });
}

void output_gate_bwd(Cpu&, const OutputGateBwd& a) {
  with_dtype(a.x.dtype(), [&]<class T>() { backward<T>(a); });
}

}  // namespace keel::kernel
