#include "ops/copy.h"

#include <gtest/gtest.h>

#include "harness/check_op.h"

namespace keel::test {
namespace {

// Heads 1 and 2 of [2, 3, 4 heads, c]: a view with gaps.
Tensor middle(const Tensor& x) { return x.slice(2, 1, 3); }

TEST(Copy, BetweenViewsAndTypes) {
  for (int64_t c : {1, 5, 16, 70}) {
    for (DType from : {DType::kF32, DType::kBf16}) {
      for (DType to : {DType::kF32, DType::kBf16}) {
        const Tensor a = normal_tensor({2, 3, 4, c}, 1, 1, 0, from);
        const Tensor flat = normal_tensor({2, 3, 2, c}, 2, 1, 0, to);
        kernel::copy(cpu(), {middle(a), {flat, false}});
        const Tensor want = from_host(flat.shape(), to_host(middle(a)), to);
        EXPECT_TRUE(same_bits(flat, want));
        const Tensor b = normal_tensor({2, 3, 4, c}, 3, 1, 0, to);
        const std::vector<float> before = to_host(b.slice(2, 0, 1));
        kernel::copy(cpu(), {flat, {middle(b), false}});
        EXPECT_TRUE(same_bits(middle(b), want));
        kernel::copy(cpu(), {middle(b), {middle(b), true}});
        EXPECT_LT(relative_error(middle(b), want) - 1, 1e-6);
        EXPECT_GT(relative_error(middle(b), want), 0.99);
        EXPECT_EQ(to_host(b.slice(2, 0, 1)), before);
      }
    }
  }
}

TEST(Copy, FillsAView) {
  for (DType type : {DType::kF32, DType::kBf16}) {
    const Tensor x = normal_tensor({2, 3, 4, 37}, 1, 1, 0, type);
    const std::vector<float> before = to_host(x.slice(2, 3, 4));
    kernel::fill(cpu(), {middle(x), 2.5f});
    EXPECT_EQ(to_host(middle(x)), std::vector<float>(2 * 3 * 2 * 37, 2.5f));
    EXPECT_EQ(to_host(x.slice(2, 3, 4)), before);
    kernel::fill(cpu(), {x, 0.0f});
    EXPECT_EQ(to_host(x), std::vector<float>(2 * 3 * 4 * 37, 0.0f));
  }
}

TEST(Copy, EmptyTargetIsSkipped) { kernel::copy(cpu(), {normal_tensor({2, 3}, 1), {}}); }

}  // namespace
}  // namespace keel::test
