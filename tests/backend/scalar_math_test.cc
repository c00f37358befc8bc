// Elementary functions against the C library's in double, over their whole range and on every lane.
#include "backend/scalar_math.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "backend/vec.h"

namespace keel {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Distance in units of the last place of the true value.
double ulps(float got, double want) {
  const float w = static_cast<float>(want);
  if (std::isinf(w) || w == 0) return got == w ? 0 : 1e9;
  const int exponent = std::max(std::ilogb(want), -126);
  return std::abs(got - want) / std::ldexp(1.0, exponent - 23);
}

// Largest error over every 997th float of [lo, hi], for vectors and for single floats.
template <class F>
double worst(float lo, float hi, F&& f, double (*truth)(double)) {
  double most = 0;
  std::vector<float> x;
  auto add = [&](uint32_t from, uint32_t to) {
    for (uint32_t bits = from; bits <= to; bits += 997) x.push_back(std::bit_cast<float>(bits));
  };
  const uint32_t smallest = std::bit_cast<uint32_t>(std::numeric_limits<float>::min());
  if (hi > 0) add(smallest, std::bit_cast<uint32_t>(hi));
  if (lo < 0) add(smallest | 0x80000000u, std::bit_cast<uint32_t>(lo));
  while (x.size() % kLanes) x.push_back(x.back());
  for (size_t i = 0; i < x.size(); i += kLanes) {
    float y[kLanes];
    store(y, f(load(&x[i])));
    for (int lane = 0; lane < kLanes; ++lane) {
      const double want = truth(x[i + lane]);
      if (std::abs(want) < std::numeric_limits<float>::min()) continue;
      most = std::max(most, ulps(y[lane], want));
      if (lane == 3) most = std::max(most, ulps(f(x[i + lane]), want));
    }
  }
  return most;
}

TEST(ScalarMath, ExpWithinTwoUlp) {
  EXPECT_LT(
      worst(
          -87.3f, 88.72f, [](auto v) { return exp(v); }, [](double x) { return std::exp(x); }),
      2);
}
TEST(ScalarMath, TanhWithinThreeUlp) {
  EXPECT_LT(
      worst(
          -20.0f, 20.0f, [](auto v) { return tanh(v); }, [](double x) { return std::tanh(x); }),
      3);
}
TEST(ScalarMath, SigmoidWithinThreeUlp) {
  EXPECT_LT(worst(
                -87.0f, 30.0f, [](auto v) { return sigmoid(v); },
                [](double x) { return 1 / (1 + std::exp(-x)); }),
            3);
}
TEST(ScalarMath, ReciprocalWithinTwoUlp) {
  for (const auto& [low, high] : {std::pair(1e-30f, 1e-20f), std::pair(0.5f, 3.0f)}) {
    EXPECT_LT(worst(
                  low, high, [](auto v) { return reciprocal(v); }, [](double x) { return 1 / x; }),
              2);
  }
}
TEST(ScalarMath, ErfWithinThreeUlp) {
  EXPECT_LT(worst(
                -5.0f, 5.0f, [](auto v) { return erf(v); }, [](double x) { return std::erf(x); }),
            3);
}

template <class F>
float lane(F&& f, float x) {
  float y[kLanes];
  store(y, f(Vec(x)));
  for (float v : y) EXPECT_EQ(std::bit_cast<uint32_t>(v), std::bit_cast<uint32_t>(y[0]));
  return y[0];
}

TEST(ScalarMath, Ends) {
  auto e = [](auto x) { return exp(x); };
  EXPECT_EQ(lane(e, -kInf), 0);
  EXPECT_EQ(lane(e, -1e30f), 0);
  EXPECT_EQ(lane(e, -105.0f), 0);
  EXPECT_EQ(lane(e, 0.0f), 1);
  EXPECT_EQ(lane(e, 88.8f), kInf);
  EXPECT_EQ(lane(e, kInf), kInf);
  EXPECT_EQ(exp(-kInf), 0);
  EXPECT_EQ(exp(kInf), kInf);
  auto t = [](auto x) { return tanh(x); };
  EXPECT_EQ(lane(t, kInf), 1);
  EXPECT_EQ(lane(t, -kInf), -1);
  EXPECT_EQ(lane(t, 0.0f), 0);
  auto s = [](auto x) { return sigmoid(x); };
  EXPECT_EQ(lane(s, kInf), 1);
  EXPECT_EQ(lane(s, -kInf), 0);
  EXPECT_EQ(lane(s, 0.0f), 0.5f);
  auto one_over = [](auto x) { return reciprocal(x); };
  EXPECT_EQ(lane(one_over, kInf), 0);
  EXPECT_EQ(lane(one_over, -4.0f), -0.25f);
  auto r = [](auto x) { return erf(x); };
  EXPECT_EQ(lane(r, kInf), 1);
  EXPECT_EQ(lane(r, -kInf), -1);
}

TEST(ScalarMath, NanStaysNan) {
  EXPECT_TRUE(std::isnan(lane([](auto x) { return exp(x); }, kNan)));
  EXPECT_TRUE(std::isnan(lane([](auto x) { return tanh(x); }, kNan)));
  EXPECT_TRUE(std::isnan(lane([](auto x) { return sigmoid(x); }, kNan)));
  EXPECT_TRUE(std::isnan(lane([](auto x) { return reciprocal(x); }, kNan)));
  EXPECT_TRUE(std::isnan(lane([](auto x) { return erf(x); }, kNan)));
}

}  // namespace
}  // namespace keel
