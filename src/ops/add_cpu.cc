#include "backend/vec.h"
#include "core/parallel.h"
#include "ops/add.h"

namespace keel::kernel {
namespace {

template <class A, class B>
void sum(const Add& args) {
  const A* a = args.a.data<A>();
  const B* b = args.b.data<B>();
  float* y = args.y.data<float>();
  parallel_ranges(args.y.size(), 1 << 13, [&](int64_t begin, int64_t end) {
    for_lanes(end - begin, [&](int64_t i, int n) {
      store_n(y + begin + i, load_n(a + begin + i, n) + load_n(b + begin + i, n), n);
    });
  });
}

}  // namespace

void add(Cpu&, const Add& args) {
  with_dtype(args.a.dtype(),
             [&]<class A>() { with_dtype(args.b.dtype(), [&]<class B>() { sum<A, B>(args); }); });
}

}  // namespace keel::kernel
