#include <algorithm>

#include "backend/philox_vec.h"
#include "core/parallel.h"
#include "core/step_state.h"
#include "ops/dropout.h"

namespace keel::kernel {
namespace {

static_assert(kDropoutLane % kLanes == 0);
constexpr int64_t kGrain = 16;  // groups in a piece of parallel work

struct Draw {
  std::array<uint32_t, 2> key;
  uint32_t threshold;
  float scale;
  bool add;
};

// One group of a row: values [0, count) of it, count <= kDropoutGroup.
template <class T>
void drop_group(const T* from, T* to, int64_t count, uint64_t row, int64_t group, const Draw& d) {
  for (int64_t j = 0; j < std::min(count, kDropoutLane); j += kLanes) {
    const auto numbers = philox_blocks(d.key, row, group * kDropoutLane + j);
    for (int64_t k = 0; k < 4; ++k) {
      const int64_t i = k * kDropoutLane + j;
      if (i >= count) break;
      const int n = static_cast<int>(std::min<int64_t>(kLanes, count - i));
      const VecInt keep = numbers[k] >= d.threshold;
      const Vec v = select(keep, load_n(from + i, n) * Vec(d.scale), Vec(0.0f));
      store_n(to + i, d.add ? v + load_n(to + i, n) : v, n);
    }
  }
}

template <class T>
void drop(const Dropout& a) {
  const StepState& s = *a.site.state;
  const Draw draw{philox_key(s.seed_dropout, a.site.stream, s.micro_step),
                  dropout_threshold(a.site.p), 1.0f / (1.0f - a.site.p), a.to.add};
  const int64_t rows = a.from.dim(0);
  const int64_t inner = rows ? a.from.size() / rows : 0;
  const int64_t groups = (inner + kDropoutGroup - 1) / kDropoutGroup;
  const T* from = a.from.data<T>();
  T* to = a.to.t.data<T>();
  const int64_t first_row = s.first_row;
  parallel_ranges(rows * groups, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t g = begin; g < end; ++g) {
      const int64_t row = g / groups, group = g % groups, at = group * kDropoutGroup;
      drop_group(from + row * inner + at, to + row * inner + at,
                 std::min(kDropoutGroup, inner - at), static_cast<uint64_t>(first_row + row), group,
                 draw);
    }
  });
}

}  // namespace

void dropout(Cpu&, const Dropout& a) {
  if (!a.to) return;
  with_dtype(a.from.dtype(), [&]<class T>() { drop<T>(a); });
}

}  // namespace keel::kernel
