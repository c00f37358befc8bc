#include <algorithm>

#include "backend/vec.h"
#include "core/parallel.h"
#include "ops/gradient_sum.h"

namespace keel::kernel {

void gradient_sum(Cpu&, const GradientSum& a) {
  parallel_ranges(a.size, 1 << 15, [&](int64_t begin, int64_t end) {
    for_lanes(end - begin, [&](int64_t i, int n) {
      Vec s = load_n(a.tail + begin + i, n);
      for (int k = 0; k < a.count; ++k) s = load_n(a.x[k] + begin + i, n) + s;
      store_n(a.out + begin + i, s, n);
    });
  });
}

}  // namespace keel::kernel
