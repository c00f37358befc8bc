#include "backend/vec.h"
#include "ops/soft_cap.h"
#include "ops/softcap_math.h"

namespace keel {
namespace {

void apply(const void* context, const ScoreTile& tile, float* slope) {
  const SoftcapFormula formula{1.0f, *static_cast<const float*>(context)};
  for (int64_t k = 0; k < tile.keys; ++k) {
    for (int64_t i = 0; i < tile.queries; i += kLanes) {
      float* s = tile.s + k * tile.stride + i;
      const Vec y = formula.value(load(s));
      store(s, y);
      if (!slope) continue;
      float* d = slope + k * tile.stride + i;
      store(d, load(d) * formula.slope(y));
    }
  }
}

}  // namespace

ScorePass soft_cap(const float* cap) { return {apply, cap}; }

}  // namespace keel
