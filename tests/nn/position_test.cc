#include <gtest/gtest.h>

#include <cmath>

#include "nn/position/rope_position.h"
#include "nn/position/sinusoidal.h"

namespace keel::test {
namespace {

// Vaswani et al., section 3.5, and tensor2tensor's get_timing_signal_1d, written out.
TEST(Sinusoidal, AgreesWithTheFormula) {
  for (const int64_t dim : {2, 6, 16}) {
    const std::vector<float> paper = sinusoids(9, dim, false), t2t = sinusoids(9, dim, true);
    for (int64_t p = 0; p < 9; ++p) {
      for (int64_t i = 0; i < dim / 2; ++i) {
        const double angle = double(p) / std::pow(10000.0, 2.0 * double(i) / double(dim));
        EXPECT_NEAR(paper[size_t(p * dim + 2 * i)], std::sin(angle), 1e-6);
        EXPECT_NEAR(paper[size_t(p * dim + 2 * i + 1)], std::cos(angle), 1e-6);
        const double step = std::log(1e4) / std::max(1.0, double(dim) / 2 - 1);
        const double other = double(p) * std::exp(-step * double(i));
        EXPECT_NEAR(t2t[size_t(p * dim + i)], std::sin(other), 1e-6);
        EXPECT_NEAR(t2t[size_t(p * dim + dim / 2 + i)], std::cos(other), 1e-6);
      }
    }
  }
  EXPECT_EQ(sinusoids(2, 5, true)[4], 0.0f);
}

TEST(RopePosition, TurnsAnEvenShare) {
  RopePosition::Config c;
  EXPECT_EQ(c.turned(64), 64);
  c.partial = 0.25;
  EXPECT_EQ(c.turned(64), 16);
  EXPECT_EQ(c.turned(20), 4);
  EXPECT_EQ(c.turned(4), 2);
}

}  // namespace
}  // namespace keel::test
