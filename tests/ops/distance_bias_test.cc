#include "ops/distance_bias.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "harness/check_op.h"
#include "harness/expect_error.h"
#include "ops/attention.h"

namespace keel::test {
namespace {

// The published slopes of 8 heads are 1/2, 1/4 .. 1/256; of 6 the 4 of a power of two and the first
// two odd ones of 8.
TEST(Alibi, SlopesOfHeads) {
  const std::vector<double> eight = alibi_slopes(8), six = alibi_slopes(6), one = alibi_slopes(1);
  for (int h = 0; h < 8; ++h) EXPECT_DOUBLE_EQ(eight[h], std::exp2(-(h + 1)));
  ASSERT_EQ(six.size(), 6u);
  for (int h = 0; h < 4; ++h) EXPECT_DOUBLE_EQ(six[h], std::exp2(-2 * (h + 1)));
  EXPECT_DOUBLE_EQ(six[4], std::exp2(-1));
  EXPECT_DOUBLE_EQ(six[5], std::exp2(-3));
  ASSERT_EQ(one.size(), 1u);
  EXPECT_DOUBLE_EQ(one[0], std::exp2(-8));
  for (int64_t h = 1; h < 40; ++h) EXPECT_EQ(alibi_slopes(h).size(), static_cast<size_t>(h));
}

// Attention with the bias is attention over q k - m (i - j), written out.
TEST(Alibi, FallsWithTheDistanceAlone) {
  const int64_t t = 70, heads = 3;
  const Tensor q = normal_tensor({1, t, heads, 4}, 1), k = normal_tensor({1, t, heads, 4}, 2),
               v = normal_tensor({1, t, heads, 4}, 3);
  AttentionArgs a;
  a.distance_bias = Var(alibi_bias(heads, t, DeviceKind::kCpu));
  const Tensor o = attention(q, k, v, a).o.t;
  const std::vector<double> m = alibi_slopes(heads);
  for (int64_t i : {0, 1, 17, 69}) {
    for (int64_t h = 0; h < heads; ++h) {
      std::vector<double> e;
      double sum = 0;
      for (int64_t j = 0; j <= i; ++j) {
        double s = -m[static_cast<size_t>(h)] * static_cast<double>(i - j);
        for (int64_t c = 0; c < 4; ++c) {
          s += double(q.data<float>()[(i * heads + h) * 4 + c]) *
               double(k.data<float>()[(j * heads + h) * 4 + c]);
        }
        sum += e.emplace_back(std::exp(s));
      }
      for (int64_t c = 0; c < 4; ++c) {
        double want = 0;
        for (int64_t j = 0; j <= i; ++j) {
          want +=
              e[static_cast<size_t>(j)] / sum * double(v.data<float>()[(j * heads + h) * 4 + c]);
        }
        EXPECT_NEAR(o.data<float>()[(i * heads + h) * 4 + c], want, 2e-6);
      }
    }
  }
}

// mesh_tensorflow's buckets, 32 up to 128: exact up to 15, monotone, 31 from 128 on.
TEST(T5Bias, BucketsOfDistances) {
  int64_t before = 0;
  for (int64_t d = 0; d < 1000; ++d) {
    const int64_t b = t5_bucket(d, 32, 128);
    if (d < 16) {
      EXPECT_EQ(b, d);
    }
    EXPECT_GE(b, before);
    EXPECT_LE(b, 31);
    before = b;
  }
  EXPECT_EQ(t5_bucket(16, 32, 128), 16);
  EXPECT_EQ(t5_bucket(18, 32, 128), 16);
  EXPECT_EQ(t5_bucket(19, 32, 128), 17);
  EXPECT_EQ(t5_bucket(64, 32, 128), 26);
  EXPECT_EQ(t5_bucket(127, 32, 128), 31);
  EXPECT_EQ(t5_bucket(128, 32, 128), 31);
  EXPECT_EQ(t5_bucket(113, 32, 128), 31);
  EXPECT_EQ(t5_bucket(112, 32, 128), 30);
}

TEST(T5Bias, AgreesWithTheFormula) {
  for (const int64_t n : {1, 7, 150}) {
    const Tensor buckets = t5_buckets(n, 8, 40, DeviceKind::kCpu);
    check_op({.in = {{"table", {3, 8}, kWeight}},
              .op = [&](auto& v) { return bucket_bias(v[0], buckets); },
              .ref =
                  [&](auto& v) {
                    Array y(Shape{3, n + 2 * kDistancePad});
                    for (int64_t h = 0; h < 3; ++h) {
                      for (int64_t d = 0; d < n; ++d) {
                        y[h * y.dim(1) + kDistancePad + d] = v[0][h * 8 + t5_bucket(d, 8, 40)];
                      }
                    }
                    return y;
                  },
              .scales = {1}});
  }
}

TEST(T5Bias, ShapesThatDoNotFit) {
  expect_error<ShapeError>("bucket_bias: table is [4], must have 2 axes",
                           [] { bucket_bias(Var(empty({4})), empty({3}, DType::kI32)); });
  expect_error<ShapeError>("bucket_bias: buckets is f32 [3], must be i32 with 1 axis", [] {
    bucket_bias(Var(empty({2, 4})), empty({3}));
  });
}

}  // namespace
}  // namespace keel::test
