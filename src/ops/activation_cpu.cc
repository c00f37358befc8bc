#include "backend/vec.h"
#include "core/parallel.h"
#include "ops/activation_math.h"

namespace keel::kernel {
namespace {

constexpr int64_t kGrain = 1 << 13;  // elements in a piece of parallel work

template <class T, class Formula>
void forward(const ActivationFwd& a) {
  const T* x = a.x.data<T>();
  T* y = a.y.data<T>();
  parallel_ranges(a.x.size(), kGrain, [&](int64_t begin, int64_t end) {
    for_lanes(end - begin, [&](int64_t i, int n) {
      store_n(y + begin + i, Formula::value(load_n(x + begin + i, n)), n);
    });
  });
}

template <class T, class Formula>
void backward(const ActivationBwd& a) {
  const T *x = a.x.data<T>(), *dy = a.dy.data<T>();
  T* dx = a.dx.t.data<T>();
  const bool add = a.dx.add;
  parallel_ranges(a.x.size(), kGrain, [&](int64_t begin, int64_t end) {
    for_lanes(end - begin, [&](int64_t offset, int n) {
      const int64_t i = begin + offset;
      const Vec g = load_n(dy + i, n) * Formula::slope(load_n(x + i, n));
      store_n(dx + i, add ? g + load_n(dx + i, n) : g, n);
    });
  });
}

}  // namespace

void activation_fwd(Cpu&, const ActivationFwd& a) {
  with_dtype(a.x.dtype(), [&]<class T>() {
    with_activation(a.kind, [&]<class Formula>() { forward<T, Formula>(a); });
  });
}

void activation_bwd(Cpu&, const ActivationBwd& a) {
  if (!a.dx) return;
  with_dtype(a.x.dtype(), [&]<class T>() {
    with_activation(a.kind, [&]<class Formula>() { backward<T, Formula>(a); });
  });
}

}  // namespace keel::kernel
