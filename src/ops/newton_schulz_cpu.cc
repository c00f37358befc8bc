#include "backend/vec.h"
#include "core/parallel.h"
#include "ops/newton_schulz.h"

namespace keel::kernel {

void newton_schulz_poly(Cpu&, const NewtonSchulzPoly& a) {
  const int64_t k = a.gram.dim(0);
  const float* gram = a.gram.data<float>();
  float* out = a.out.data<float>();
  parallel_ranges(k, std::max<int64_t>(1, (1 << 14) / k), [&](int64_t begin, int64_t end) {
    for_lanes((end - begin) * k, [&](int64_t i, int n) {
      const int64_t at = begin * k + i;
      store_n(out + at, fma(load_n(gram + at, n), Vec(a.b), load_n(out + at, n) * Vec(a.c)), n);
    });
    for (int64_t i = begin; i < end; ++i) out[i * k + i] += a.a;
  });
}

}  // namespace keel::kernel
