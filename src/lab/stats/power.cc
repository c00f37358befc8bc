#include "lab/stats/power.h"

#include <fmt/format.h>

#include <cmath>

#include "core/error.h"
#include "lab/stats/distributions.h"

namespace keel {

double power_of_seeds(double difference, double sd, size_t arms, int64_t seeds, double alpha) {
  if (!(sd > 0) || !(alpha > 0 && alpha < 1) || arms < 2 || seeds < 2) {
    throw DataError(
        fmt::format("power: standard deviation {}, alpha {}, {} arms, {} seeds; needed "
                    "are a positive one, one between 0 and 1, and at least 2 of each",
                    sd, alpha, arms, seeds));
  }
  const double df = static_cast<double>(arms - 1) * static_cast<double>(seeds - 1);
  const double shift = std::abs(difference) / sd * std::sqrt(static_cast<double>(seeds));
  if (shift > 1e3) return 1;  // to the last digit, and the noncentral t has its limits
  const double t = t_quantile(1 - alpha / 2, df);
  return noncentral_t_cdf(-t, df, shift) + noncentral_t_cdf(-t, df, -shift);
}

std::optional<int64_t> seeds_to_resolve(double difference, double sd, size_t arms, double alpha,
                                        double power) {
  constexpr int64_t kMost = 1'000'000;
  int64_t enough = 2, short_of = 1;
  while (power_of_seeds(difference, sd, arms, enough, alpha) < power) {
    short_of = enough;
    enough *= 2;
    if (enough > kMost) return std::nullopt;
  }
  while (enough - short_of > 1) {
    const int64_t middle = short_of + (enough - short_of) / 2;
    (power_of_seeds(difference, sd, arms, middle, alpha) < power ? short_of : enough) = middle;
  }
  return enough;
}

}  // namespace keel
