#include "data/mixture.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

namespace keel {
namespace {

TEST(Mixture, ExactSharesAndDensePositions) {
  const std::vector<double> weights = {1, 3, 0.5, 0, 2.25};
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (const uint64_t seed : {0u, 1u, 9u}) {
    const Mixture mixture(weights, seed);
    std::vector<int64_t> count(weights.size());
    for (int64_t n = 0; n < 20000; ++n) {
      ASSERT_EQ(mixture.counts(n), count);
      const auto [source, position] = mixture.at(n);
      ASSERT_EQ(position, count[source]);
      ++count[source];
      for (size_t i = 0; i < weights.size(); ++i) {
        const double share = static_cast<double>(n + 1) * weights[i] / total;
        ASSERT_NEAR(static_cast<double>(count[i]), share, static_cast<double>(weights.size()));
      }
    }
    EXPECT_EQ(count[3], 0);
  }
}

TEST(Mixture, SkipsFar) {
  const Mixture mixture({2, 1}, 4);
  const int64_t n = int64_t{3} << 40;
  const std::vector<int64_t> counts = mixture.counts(n);
  EXPECT_NEAR(static_cast<double>(counts[0]) / static_cast<double>(n), 2.0 / 3, 1e-12);
  EXPECT_EQ(counts[0] + counts[1], n);
  const auto [source, position] = mixture.at(n);
  EXPECT_EQ(position, counts[source]);
}

TEST(Mixture, OneSourceTakesAll) {
  const Mixture mixture({0.0, 0.3, 0.0}, 8);
  for (int64_t n = 0; n < 100; ++n) {
    EXPECT_EQ(mixture.at(n), (std::pair<size_t, int64_t>{1, n}));
  }
}

TEST(Mixture, SeedShiftsTheTurns) {
  const Mixture a({1, 1}, 1), b({1, 1}, 2), c({1, 1}, 3), d({1, 1}, 4);
  EXPECT_FALSE(a.at(0).first == b.at(0).first && b.at(0).first == c.at(0).first &&
               c.at(0).first == d.at(0).first);
}

}  // namespace
}  // namespace keel
