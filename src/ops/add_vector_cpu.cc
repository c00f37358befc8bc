#include "backend/vec.h"
#include "core/parallel.h"
#include "ops/add_vector.h"

namespace keel::kernel {

void add_vector(Cpu&, const AddVector& a) {
  const int64_t t = a.x.dim(1), heads = a.x.dim(2), hd = a.x.dim(3);
  with_dtype(a.x.dtype(), [&]<class T>() {
    with_dtype(a.v.dtype(), [&]<class V>() {
      parallel_ranges(a.x.dim(0) * t, 32, [&](int64_t begin, int64_t end) {
        for (int64_t r = begin * heads; r < end * heads; ++r) {
          const int64_t token = r / heads, h = r % heads;
          const T* x = a.x.data<T>() + token / t * a.x.stride(0) + token % t * a.x.stride(1) +
                       h * a.x.stride(2);
          const V* v = a.v.data<V>() + h * hd;
          T* y = a.y.data<T>() + r * hd;
          for_lanes(hd, [&](int64_t i, int n) {
            store_n(y + i, load_n(x + i, n) + load_n(v + i, n), n);
          });
        }
      });
    });
  });
}

}  // namespace keel::kernel
