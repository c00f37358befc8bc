#include "backend/vec.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace keel {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

Vec counting() {
  float x[kLanes];
  for (int i = 0; i < kLanes; ++i) x[i] = static_cast<float>(i + 1);
  return load(x);
}

TEST(Vec, Reductions) {
  EXPECT_EQ(reduce_add(counting()), kLanes * (kLanes + 1) / 2.0f);
  EXPECT_EQ(reduce_max(counting()), kLanes);
  EXPECT_EQ(reduce_max(-counting()), -1);
}

TEST(Vec, RoundsToEvenAndScales) {
  EXPECT_EQ(round(Vec(2.5f)).v[0], 2);
  EXPECT_EQ(round(Vec(-3.5f)).v[kLanes - 1], -4);
  EXPECT_EQ(scale2(Vec(1.5f), Vec(128.0f)).v[1], std::numeric_limits<float>::infinity());
  EXPECT_EQ(scale2(Vec(1.5f), Vec(-126.0f)).v[1], std::ldexp(1.5f, -126));
  EXPECT_EQ(scale2(Vec(1.0f), Vec(-150.0f)).v[1], 0);
}

TEST(Vec, MinAndMaxPassANanThatComesSecond) {
  EXPECT_TRUE(std::isnan(max(Vec(1.0f), Vec(kNan)).v[0]));
  EXPECT_TRUE(std::isnan(min(Vec(1.0f), Vec(kNan)).v[0]));
}

template <class T>
void tails() {
  for (int n = 0; n < kLanes; ++n) {
    std::vector<T> x(kLanes + 1, T(7.0f));
    store_some(x.data(), counting(), n);
    for (int i = 0; i <= kLanes; ++i) {
      EXPECT_EQ(static_cast<float>(x[i]), i < n ? i + 1 : 7) << n << " " << i;
    }
    const std::vector<T> exactly(x.begin(), x.begin() + n);  // nothing behind it may be read
    const Vec back = load_some(exactly.data(), n, 0.5f);
    for (int i = 0; i < kLanes; ++i) EXPECT_EQ(back.v[i], i < n ? i + 1 : 0.5f);
  }
}

TEST(Vec, TailsOfF32) { tails<float>(); }
TEST(Vec, TailsOfBf16) { tails<bf16>(); }

TEST(Vec, ForLanesCoversEachElementOnce) {
  for (int64_t size : {0, 1, kLanes - 1, kLanes, kLanes + 1, 3 * kLanes + 5}) {
    std::vector<int> seen(size);
    for_lanes(size, [&](int64_t at, int n) {
      EXPECT_TRUE(n == kLanes || at + n == size);
      for (int i = 0; i < n; ++i) ++seen[at + i];
    });
    EXPECT_EQ(seen, std::vector<int>(size, 1));
  }
}

// As the scalar conversion has it, for values that round up, down, to even, and for a NaN.
TEST(Vec, StoresBf16LikeTheScalar) {
  const float values[] = {1.0f,   1.00390625f, 1.01171875f, -3.14159f, 3e38f,
                          1e-40f, 0.0f,        -0.0f,       kNan};
  for (float v : values) {
    bf16 out[kLanes];
    store(out, Vec(v));
    for (bf16 b : out) EXPECT_EQ(b.bits, bf16(v).bits) << v;
  }
  bf16 in[kLanes];
  store(in, counting());
  EXPECT_EQ(reduce_add(load(in)), reduce_add(counting()));
}

}  // namespace
}  // namespace keel
