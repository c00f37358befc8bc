#include "backend/vec.h"
#include "core/parallel.h"
#include "ops/softcap.h"
#include "ops/softcap_math.h"

namespace keel::kernel {
namespace {

constexpr int64_t kGrain = 1 << 13;  // elements in a piece of parallel work

}  // namespace

void softcap_fwd(Cpu&, const SoftcapFwd& a) {
  const SoftcapFormula formula{a.scale, a.cap};
  const float* x = a.x.data<float>();
  float* y = a.y.data<float>();
  parallel_ranges(a.x.size(), kGrain, [&](int64_t begin, int64_t end) {
    for_lanes(end - begin, [&](int64_t i, int n) {
      store_n(y + begin + i, formula.value(load_n(x + begin + i, n)), n);
    });
  });
}

void softcap_bwd(Cpu&, const SoftcapBwd& a) {
  if (!a.dx) return;
  const SoftcapFormula formula{a.scale, a.cap};
  const float *y = a.y.data<float>(), *dy = a.dy.data<float>();
  float* dx = a.dx.t.data<float>();
  const bool add = a.dx.add;
  parallel_ranges(a.y.size(), kGrain, [&](int64_t begin, int64_t end) {
    for_lanes(end - begin, [&](int64_t offset, int n) {
      const int64_t i = begin + offset;
      const Vec g = load_n(dy + i, n) * formula.slope(load_n(y + i, n));
      store_n(dx + i, add ? g + load_n(dx + i, n) : g, n);
    });
  });
}

}  // namespace keel::kernel
