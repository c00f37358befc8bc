#include "ops/grad_norm.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "core/parallel.h"
#include "harness/check_op.h"

namespace keel::test {
namespace {

StepState state_after(const std::vector<Tensor>& grads, float clip) {
  StepState s;
  GradNorm(grads).compute(clip, &s);
  return s;
}

TEST(GradNorm, SumOfSquaresInDouble) {
  for (int64_t n : {0, 1, 7, 8, 31, 33, 1000, 65535, 65536, 65537, 300001}) {
    const Tensor g = normal_tensor({n}, 1, 3);
    double expected = 0;
    for (float x : to_host(g)) expected += double(x) * x;
    EXPECT_NEAR(state_after({g}, 0).grad_norm, std::sqrt(expected), 1e-12 * std::sqrt(expected));
  }
}

TEST(GradNorm, AListIsOneVector) {
  const Tensor all = normal_tensor({1000}, 1);
  const std::vector<Tensor> parts = {all.slice(0, 0, 1), all.slice(0, 1, 999),
                                     all.slice(0, 999, 1000)};
  const double whole = state_after({all}, 0).grad_norm;
  EXPECT_NEAR(state_after(parts, 0).grad_norm, whole, 1e-13 * whole);
  EXPECT_EQ(state_after({}, 1).grad_norm, 0);
}

// f32 would overflow, underflow, or lose the small ones.
TEST(GradNorm, RangeOfDouble) {
  EXPECT_NEAR(state_after({from_host({2}, std::vector<float>{3e30f, 4e30f})}, 0).grad_norm, 5e30,
              1e24);
  EXPECT_NEAR(state_after({from_host({2}, std::vector<float>{3e-30f, 4e-30f})}, 0).grad_norm, 5e-30,
              1e-36);
  std::vector<float> many(100001, 1e-3f);
  many[0] = 1e4f;
  EXPECT_NEAR(state_after({from_host({100001}, many)}, 0).grad_norm, std::sqrt(1e8 + 0.1), 1e-9);
}

TEST(GradNorm, ClipCoefficient) {
  const std::vector<Tensor> five = {from_host({2}, std::vector<float>{3, 4})};
  EXPECT_EQ(state_after(five, 1).clip_coefficient, float(1 / (5 + 1e-6)));
  EXPECT_EQ(state_after(five, 5.001f).clip_coefficient, 1);
  EXPECT_EQ(state_after(five, 5).clip_coefficient, float(5 / (5 + 1e-6)));
  EXPECT_EQ(state_after(five, 0).clip_coefficient, 1);
  EXPECT_EQ(state_after({from_host({1}, std::vector<float>{0})}, 1).clip_coefficient, 1);
}

TEST(GradNorm, NotFinite) {
  for (float bad : {NAN, INFINITY, -INFINITY}) {
    std::vector<float> g(70000, 1.0f);
    g[69999] = bad;
    const StepState s = state_after({from_host({70000}, g)}, 1);
    EXPECT_EQ(s.nonfinite, 1);
    EXPECT_EQ(s.skip, 1);
    EXPECT_EQ(s.clip_coefficient, 1);
    EXPECT_FALSE(std::isfinite(s.grad_norm));
  }
}

TEST(GradNorm, DoesNotClearFlags) {
  StepState s;
  s.skip = s.nonfinite = 1;
  GradNorm(std::vector<Tensor>{normal_tensor({3}, 1)}).compute(1, &s);
  EXPECT_EQ(s.skip, 1);
  EXPECT_EQ(s.nonfinite, 1);
}

TEST(GradNorm, SameBitsWithAnyNumberOfThreads) {
  const std::vector<Tensor> grads = {normal_tensor({300001}, 1), normal_tensor({77, 1031}, 2)};
  set_num_threads(1);
  const double one = state_after(grads, 1).grad_norm;
  for (int threads : {2, 3, 8}) {
    set_num_threads(threads);
    EXPECT_EQ(state_after(grads, 1).grad_norm, one);
  }
  set_num_threads(0);
}

TEST(GradNorm, Errors) {
  const auto message = [](const std::vector<Tensor>& grads) -> std::string {
    try {
      GradNorm g(grads);
    } catch (const ShapeError& e) {
      return e.what();
    }
    return "nothing was thrown";
  };
  EXPECT_EQ(message({normal_tensor({2, 3}, 1), normal_tensor({4}, 1, 1, 0, DType::kBf16)}),
            "grad_norm: bf16 [4] must be contiguous f32 on the device of the first gradient");
  EXPECT_EQ(message({normal_tensor({4, 6}, 1).slice(1, 0, 3)}),
            "grad_norm: f32 [4, 3] must be contiguous f32 on the device of the first gradient");
}

}  // namespace
}  // namespace keel::test
