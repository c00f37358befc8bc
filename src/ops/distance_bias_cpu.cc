#include <algorithm>

#include "backend/vec.h"
#include "core/parallel.h"
#include "ops/attention.h"
#include "ops/copy.h"
#include "ops/distance_bias.h"

namespace keel::kernel {

void bucket_bias_fwd(Cpu&, const BucketBiasFwd& a) {
  const int64_t n = a.buckets.dim(0), row = a.y.dim(1), buckets = a.table.dim(1);
  const int32_t* of = a.buckets.data<int32_t>();
  with_dtype(a.table.dtype(), [&]<class T>() {
    parallel_for(a.y.dim(0), [&](int64_t h) {
      const T* from = a.table.data<T>() + h * buckets;
      float* to = a.y.data<float>() + h * row;
      std::fill_n(to, row, 0.0f);
      for (int64_t d = 0; d < n; ++d) to[kDistancePad + d] = static_cast<float>(from[of[d]]);
    });
  });
}

void bucket_bias_bwd(Cpu&, const BucketBiasBwd& a) {
  if (!a.dtable) return;
  const int64_t n = a.buckets.dim(0), row = a.dy.dim(1), buckets = a.dtable.t.dim(1);
  const int32_t* of = a.buckets.data<int32_t>();
  parallel_for(a.dy.dim(0), [&](int64_t h) {
    const float* from = a.dy.data<float>() + h * row + kDistancePad;
    float* to = a.dtable.t.data<float>() + h * buckets;
    if (!a.dtable.add) std::fill_n(to, buckets, 0.0f);
    for (int64_t d = 0; d < n; ++d) to[of[d]] += from[d];
  });
}

}  // namespace keel::kernel
