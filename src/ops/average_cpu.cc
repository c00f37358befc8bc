#include <algorithm>

#include "backend/vec.h"
#include "core/parallel.h"
#include "ops/average.h"

namespace keel::kernel {
namespace {

constexpr int64_t kGrain = 1 << 15;  // elements in a piece of parallel work

}  // namespace

void update_average(Cpu&, const UpdateAverage& a) {
  const Vec keep(a.keep), take(1.0f - a.keep);
  parallel_ranges(a.average.size(), kGrain, [&](int64_t begin, int64_t end) {
    float* average = a.average.data<float>() + begin;
    const float* value = a.value.data<float>() + begin;
    for_lanes(end - begin, [&](int64_t i, int n) {
      store_n(average + i, fma(keep, load_n(average + i, n), take * load_n(value + i, n)), n);
    });
  });
}

void swap(Cpu&, const Swap& s) {
  parallel_ranges(s.a.size(), kGrain, [&](int64_t begin, int64_t end) {
    std::swap_ranges(s.a.data<float>() + begin, s.a.data<float>() + end, s.b.data<float>() + begin);
  });
}

}  // namespace keel::kernel
