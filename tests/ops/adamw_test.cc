#include "ops/adamw.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/parallel.h"
#include "harness/check_op.h"
#include "ops/adamw_math.h"

namespace keel::test {
namespace {

constexpr double kBeta1 = 0.9, kBeta2 = 0.95, kEps = 1e-8;

// One flat buffer of each kind, updated in parts.
struct Flat {
  int64_t n;
  Tensor w, g, m, v, copy, updates;
  StepState state;

  explicit Flat(int64_t size, bool with_copy = false) : n(size) {
    w = normal_tensor({n}, 1);
    g = normal_tensor({n}, 2);
    m = normal_tensor({n}, 3, 0.1);
    v = normal_tensor({n}, 4, 0.01, 0.1);
    if (with_copy) copy = empty({n}, DType::kBf16);
    updates = from_host({1}, std::vector<int32_t>{6});
    state.rate = 1e-3f;
    state.factor = 0.25f;
    state.clip_coefficient = 0.5f;
  }
  void run(double decay = 0.1, bool independent = false) {
    std::vector<kernel::UpdatePart> parts;
    for (int64_t i = 0; i < n; i += 1000) {
      parts.push_back({w.data<float>() + i, g.data<float>() + i, m.data<float>() + i,
                       v.data<float>() + i, copy ? copy.data<bf16>() + i : nullptr,
                       std::min<int64_t>(1000, n - i), i % 2000 == 0 ? 1.0f : 0.0f});
    }
    kernel::adamw(cpu(), {parts, kBeta1, kBeta2, kEps, decay, independent, &state, updates});
  }
};

TEST(AdamW, AgainstTheFormula) {
  for (bool independent : {false, true}) {
    Flat f(3517);
    const auto w0 = to_host(f.w), g = to_host(f.g), m0 = to_host(f.m), v0 = to_host(f.v);
    f.run(0.1, independent);
    const auto w1 = to_host(f.w), m1 = to_host(f.m), v1 = to_host(f.v);
    const double decay = independent ? 0.25 * 0.1 : 1e-3 * 0.1;
    for (size_t i = 0; i < w0.size(); ++i) {
      const double gc = 0.5 * g[i];
      const double m = kBeta1 * m0[i] + (1 - kBeta1) * gc,
                   v = kBeta2 * v0[i] + (1 - kBeta2) * gc * gc;
      const double m_hat = m / (1 - std::pow(kBeta1, 7)), v_hat = v / (1 - std::pow(kBeta2, 7));
      const bool decays = i / 1000 % 2 == 0;
      const double w =
          w0[i] * (1 - (decays ? decay : 0)) - 1e-3 * m_hat / (std::sqrt(v_hat) + kEps);
      ASSERT_NEAR(m1[i], m, 2e-7 * (std::abs(m0[i]) + std::abs(gc)));
      ASSERT_NEAR(v1[i], v, 3e-7 * v);
      ASSERT_NEAR(w1[i], w, 3e-7 * (std::abs(w) + 1e-2));
    }
    EXPECT_EQ(to_host(f.updates)[0], 7);
  }
}

// One number at a time gives what a vector of them gives: CUDA runs the former.
TEST(AdamW, ScalarAndVectorAgree) {
  Flat f(333);
  const auto w0 = to_host(f.w), g = to_host(f.g), m0 = to_host(f.m), v0 = to_host(f.v);
  const AdamWScalars s = adamw_scalars(f.state, kBeta1, kBeta2, kEps, 7);
  f.run();
  const auto w1 = to_host(f.w);
  for (size_t i = 0; i < w0.size(); ++i) {
    float w = w0[i], m = m0[i], v = v0[i];
    adamw_update(w, g[i], m, v, kept_weight(f.state, 0.1, false, 1, 1), s.step, s);
    EXPECT_NEAR(w, w1[i], 1e-7 * (1 + std::abs(w)));
  }
}

TEST(AdamW, WritesTheWorkingCopy) {
  Flat with(2100, true), without(2100);
  with.run();
  without.run();
  EXPECT_TRUE(same_bits(with.w, without.w));
  const auto w = to_host(with.w), copy = to_host(with.copy);
  for (size_t i = 0; i < w.size(); ++i) EXPECT_EQ(copy[i], float(bf16(w[i])));
}

// A select and not a product with 0: NaN in the gradient does not get through.
TEST(AdamW, SkipLeavesEverything) {
  Flat skipped(2100), untouched(2100);
  std::fill_n(skipped.g.data<float>(), skipped.n, NAN);
  skipped.state.skip = 1;
  skipped.run();
  EXPECT_TRUE(same_bits(skipped.w, untouched.w));
  EXPECT_TRUE(same_bits(skipped.m, untouched.m));
  EXPECT_TRUE(same_bits(skipped.v, untouched.v));
  EXPECT_EQ(to_host(skipped.updates)[0], 6);
}

TEST(AdamW, RateZeroMovesNothing) {
  Flat f(2100), untouched(2100);
  f.state.rate = 0;
  f.run();
  EXPECT_TRUE(same_bits(f.w, untouched.w));
  EXPECT_FALSE(same_bits(f.m, untouched.m));
}

// Without memory and decay, where the gradient is far above eps, only its sign counts.
TEST(AdamW, SignDescent) {
  Tensor w = from_host({3}, std::vector<float>{1, 1, 1}), m = from_host({3}, std::vector<float>(3));
  const Tensor g = from_host({3}, std::vector<float>{2e-3f, -5, 1e4f});
  Tensor v = from_host({3}, std::vector<float>(3)),
         updates = from_host({1}, std::vector<int32_t>{0});
  StepState state;
  state.rate = 0.25f;
  const kernel::UpdatePart part{
      w.data<float>(), g.data<float>(), m.data<float>(), v.data<float>(), nullptr, 3, 0};
  kernel::adamw(cpu(), {{&part, 1}, 0, 0, 1e-8, 0.1, false, &state, updates});
  EXPECT_NEAR(to_host(w)[0], 0.75, 1e-5);
  EXPECT_NEAR(to_host(w)[1], 1.25, 1e-6);
  EXPECT_NEAR(to_host(w)[2], 0.75, 1e-6);
}

TEST(AdamW, SameBitsWithAnyNumberOfThreads) {
  set_num_threads(1);
  Flat one(20011);
  one.run();
  for (int threads : {2, 5, 8}) {
    set_num_threads(threads);
    Flat many(20011);
    many.run();
    EXPECT_TRUE(same_bits(many.w, one.w));
    EXPECT_TRUE(same_bits(many.v, one.v));
  }
  set_num_threads(0);
}

}  // namespace
}  // namespace keel::test
