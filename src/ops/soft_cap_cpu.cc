#include "backend/scalar_math.h"
#include "backend/vec.h"
#include "ops/soft_cap.h"

namespace keel {
namespace {

void apply(const void* context, const ScoreTile& tile, float* slope) {
  const float cap = *static_cast<const float*>(context);
  const Vec c(cap), inverse(1.0f / cap), one(1.0f);
  for (int64_t k = 0; k < tile.keys; ++k) {
    for (int64_t i = 0; i < tile.queries; i += kLanes) {
      float* s = tile.s + k * tile.stride + i;
      const Vec t = tanh(load(s) * inverse);
      store(s, c * t);
      if (!slope) continue;
      float* d = slope + k * tile.stride + i;
      store(d, load(d) * fma(-t, t, one));
    }
  }
}

}  // namespace

ScorePass soft_cap(const float* cap) { return {apply, cap}; }

}  // namespace keel
