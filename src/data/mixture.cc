#include "data/mixture.h"

#include <cmath>
#include <numeric>

#include "core/philox.h"

namespace keel {
namespace {

constexpr int kUnitBits = 48;

// Sequences that a turn of this share and phase has taken before sequence n.
int64_t taken(int64_t n, uint64_t share, uint64_t phase) {
  const auto product = static_cast<unsigned __int128>(n) * share + phase;
  return static_cast<int64_t>(product >> kUnitBits);
}

}  // namespace

Mixture::Mixture(const std::vector<double>& weights, uint64_t seed) {
  double rest = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (size_t i = 0; i < weights.size(); ++i) {
    Turn turn;
    // The last source that has a weight takes all that is left, whatever rounding did to `rest`.
    const bool last = std::accumulate(weights.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                                      weights.end(), 0.0) == 0.0;
    if (weights[i] > 0) {
      turn.share =
          last ? uint64_t{1} << kUnitBits
               : static_cast<uint64_t>(std::llround(std::ldexp(weights[i] / rest, kUnitBits)));
    }
    turn.phase = last ? 0 : mix64(mix64(seed + 1) + i + 1) >> (64 - kUnitBits);
    turns_.push_back(turn);
    rest -= weights[i];
  }
}

std::pair<size_t, int64_t> Mixture::at(int64_t n) const {
  size_t i = 0;
  for (; i + 1 < turns_.size(); ++i) {
    const int64_t before = taken(n, turns_[i].share, turns_[i].phase);
    if (taken(n + 1, turns_[i].share, turns_[i].phase) > before) return {i, before};
    n -= before;
  }
  return {i, n};
}

std::vector<int64_t> Mixture::counts(int64_t n) const {
  std::vector<int64_t> result;
  for (const Turn& turn : turns_) {
    result.push_back(taken(n, turn.share, turn.phase));
    n -= result.back();
  }
  return result;
}

}  // namespace keel
