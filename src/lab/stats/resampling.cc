#include "lab/stats/resampling.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/error.h"
#include "data/draws.h"

namespace keel {
namespace {

struct MeanAndError {
  double mean = 0, standard_error = 0;
};

MeanAndError summarize(std::span<const double> values) {
  const auto n = static_cast<double>(values.size());
  double mean = 0, square = 0;
  for (const double v : values) mean += v / n;
  for (const double v : values) square += (v - mean) * (v - mean);
  return {mean, std::sqrt(square / (n - 1) / n)};
}

double at_share(std::span<const double> sorted, double share) {
  const auto index = static_cast<size_t>(share * static_cast<double>(sorted.size()));
  return sorted[std::min(index, sorted.size() - 1)];
}

}  // namespace

double smallest_sign_flip_p(size_t seeds) {
  return seeds == 0 ? 1 : std::ldexp(1.0, 1 - static_cast<int>(seeds));
}

double smallest_permutation_p(size_t seeds_a, size_t seeds_b) {
  if (seeds_a == 0 || seeds_b == 0) return 1;
  double ways = 1;
  for (size_t i = 1; i <= seeds_a; ++i) {
    ways *= static_cast<double>(seeds_b + i) / static_cast<double>(i);
  }
  return (seeds_a == seeds_b ? 2 : 1) / ways;
}

double sign_flip_p(std::span<const double> differences) {
  const size_t n = differences.size();
  if (n == 0 || n > kSignFlipMostSeeds) {
    throw DataError(
        fmt::format("sign flips: {} differences, there must be 1 to {}", n, kSignFlipMostSeeds));
  }
  double observed = 0, size = 0;
  for (const double d : differences) {
    observed += d;
    size += std::abs(d);
  }
  if (!std::isfinite(size)) throw DataError("sign flips: a difference is not finite");
  // Sums that are equal but for rounding count as equal.
  const double least = std::abs(observed) - 1e-12 * size;
  int64_t as_far = 0;
  const int64_t all = int64_t{1} << n;
  for (int64_t flips = 0; flips < all; ++flips) {
    double sum = 0;
    for (size_t i = 0; i < n; ++i) sum += (flips >> i & 1) != 0 ? -differences[i] : differences[i];
    as_far += std::abs(sum) >= least ? 1 : 0;
  }
  return static_cast<double>(as_far) / static_cast<double>(all);
}

Interval bootstrap_interval(std::span<const double> values, double level, int64_t resamples,
                            uint64_t seed) {
  if (values.size() < kBootstrapLeastSeeds) {
    throw DataError(fmt::format("bootstrap: {} seeds, there must be at least {}", values.size(),
                                kBootstrapLeastSeeds));
  }
  if (resamples < 1000 || !(level > 0 && level < 1)) {
    throw DataError(
        fmt::format("bootstrap: {} resamples at level {}; at least 1000 and a level "
                    "between 0 and 1 are needed",
                    resamples, level));
  }
  const MeanAndError all = summarize(values);
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  if (*least == *most || !std::isfinite(all.standard_error)) {
    throw DataError("bootstrap: the values are equal or not finite, there is nothing to resample");
  }
  std::vector<double> statistics, drawn(values.size());
  statistics.reserve(static_cast<size_t>(resamples));
  for (int64_t r = 0; r < resamples; ++r) {
    Draws draws(seed, "bootstrap", static_cast<uint64_t>(r));
    for (double& d : drawn) d = values[draws.below(static_cast<int64_t>(values.size()))];
    const MeanAndError one = summarize(drawn);
    // All drawn values equal: as far out as can be.
    statistics.push_back((one.mean - all.mean) / std::max(one.standard_error, 1e-300));
  }
  std::sort(statistics.begin(), statistics.end());
  return {all.mean - at_share(statistics, 0.5 + level / 2) * all.standard_error,
          all.mean - at_share(statistics, 0.5 - level / 2) * all.standard_error};
}

}  // namespace keel
