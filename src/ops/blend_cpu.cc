#include "backend/vec.h"
#include "core/parallel.h"
#include "ops/blend.h"

namespace keel::kernel {
namespace {

constexpr int64_t kGrain = 1 << 13;  // elements in a piece of parallel work

template <class X, class Z>
void combine(const Blend& args) {
  const X* x = args.x.data<X>();
  const Z* z = args.z.data<Z>();
  float* y = args.y.data<float>();
  const Vec a(args.a), b(args.b), c(args.c);
  parallel_ranges(args.y.size(), kGrain, [&](int64_t begin, int64_t end) {
    for_lanes(end - begin, [&](int64_t offset, int n) {
      const int64_t i = begin + offset;
      const Vec rest = z ? fma(b, load_n(z + i, n), c) : c;
      store_n(y + i, fma(a, load_n(x + i, n), rest), n);
    });
  });
}

}  // namespace

void blend(Cpu&, const Blend& args) {
  const DType z = args.z ? args.z.dtype() : DType::kF32;
  with_dtype(args.x.dtype(),
             [&]<class X>() { with_dtype(z, [&]<class Z>() { combine<X, Z>(args); }); });
}

void scaled_copy(Cpu&, const ScaledCopy& args) {
  if (!args.to) return;
  const float* from = args.from.data<float>();
  const Vec factor(args.factor);
  with_dtype(args.to.t.dtype(), [&]<class T>() {
    T* to = args.to.t.data<T>();
    const bool add = args.to.add;
    parallel_ranges(args.from.size(), kGrain, [&](int64_t begin, int64_t end) {
      for_lanes(end - begin, [&](int64_t offset, int n) {
        const int64_t i = begin + offset;
        const Vec v = factor * load_n(from + i, n);
        store_n(to + i, add ? v + load_n(to + i, n) : v, n);
      });
    });
  });
}

}  // namespace keel::kernel
