#include "backend/vec.h"
#include "core/parallel.h"
#include "ops/linear.h"

namespace keel::kernel {
namespace {

template <class T>
void partial_sums(const ColumnSum& a) {
  const int64_t n = a.dy.dim(1);
  parallel_ranges(a.dy.dim(0), kSumRows, [&](int64_t begin, int64_t end) {
    float* out = a.partial.data<float>() + begin / kSumRows * n;
    for (int64_t i = 0; i < n; ++i) out[i] = 0;
    for (int64_t r = begin; r < end; ++r) {
      const T* row = a.dy.data<T>() + r * n;
      for_lanes(n, [&](int64_t i, int m) {
        store_n(out + i, load_n(out + i, m) + load_n(row + i, m), m);
      });
    }
  });
}

}  // namespace

void column_sum(Cpu&, const ColumnSum& a) {
  with_dtype(a.dy.dtype(), [&]<class T>() { partial_sums<T>(a); });
  const int64_t n = a.dy.dim(1), chunks = a.partial.dim(0);
  float* out = a.out.t.data<float>();
  const float* partial = a.partial.data<float>();
  parallel_ranges(n, 1024, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      float s = a.out.add ? out[i] : 0.0f;
      for (int64_t k = 0; k < chunks; ++k) s += partial[k * n + i];
      out[i] = s;
    }
  });
}

}  // namespace keel::kernel
