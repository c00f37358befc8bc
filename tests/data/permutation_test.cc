#include "data/permutation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <vector>

namespace keel {
namespace {

TEST(Permutation, EachElementOnce) {
  for (const int64_t n : {1, 2, 3, 5, 16, 17, 255, 256, 257, 4099}) {
    for (const uint64_t key : {0u, 1u, 77u}) {
      const Permutation p(n, key);
      std::set<int64_t> seen;
      for (int64_t i = 0; i < n; ++i) {
        const int64_t x = p.at(i);
        ASSERT_GE(x, 0);
        ASSERT_LT(x, n);
        EXPECT_TRUE(seen.insert(x).second) << "n " << n << " key " << key;
      }
    }
  }
}

TEST(Permutation, KeysGiveOtherOrders) {
  const Permutation a(1000, 1), b(1000, 2), c(1000, 1);
  int same = 0;
  for (int64_t i = 0; i < 1000; ++i) {
    same += a.at(i) == b.at(i);
    EXPECT_EQ(a.at(i), c.at(i));
  }
  EXPECT_LT(same, 10);
}

// A position says nothing of its element: their correlation is that of chance, 1 / sqrt(n).
TEST(Permutation, LooksRandom) {
  constexpr int64_t kN = 5000;
  for (const uint64_t key : {3u, 4u, 5u}) {
    const Permutation p(kN, key);
    double sum = 0, neighbours = 0;
    const double mean = (kN - 1) / 2.0, variance = (kN * kN - 1) / 12.0;
    for (int64_t i = 0; i < kN; ++i) {
      const double x = static_cast<double>(p.at(i)) - mean;
      sum += (static_cast<double>(i) - mean) * x;
      neighbours += (static_cast<double>(p.at((i + 1) % kN)) - mean) * x;
    }
    EXPECT_LT(std::abs(sum / variance / kN), 4 / std::sqrt(kN));
    EXPECT_LT(std::abs(neighbours / variance / kN), 4 / std::sqrt(kN));
  }
}

TEST(Permutation, LargeDomainsNeedNoTable) {
  const Permutation p(int64_t{1} << 50, 9);
  for (int64_t i = 0; i < 100; ++i) EXPECT_LT(p.at(i), int64_t{1} << 50);
  EXPECT_NE(p.at(0), p.at(1));
}

}  // namespace
}  // namespace keel
