#include "optim/gradient_tree.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/parallel.h"
#include "harness/check_op.h"

namespace keel::test {
namespace {

using Values = std::vector<float>;

Values sum(const Values& a, const Values& b) {
  Values s(a.size());
  for (size_t i = 0; i < a.size(); ++i) s[i] = a[i] + b[i];
  return s;
}

// The tree as the header defines it.
Values tree(const std::vector<Values>& g, size_t begin, size_t end) {
  if (end - begin == 1) return g[begin];
  size_t half = 1;
  while (2 * half < end - begin) half *= 2;
  return sum(tree(g, begin, begin + half), tree(g, begin + half, end));
}

constexpr int64_t kSize = 40007;

TEST(GradientTree, AsDefined) {
  for (int64_t k = 1; k <= 17; ++k) {
    const Tensor gradients = persistent({kSize}, DType::kF32, DeviceKind::kCpu, "gradients");
    GradientTree sums(gradients, k);
    for (int step = 0; step < 2; ++step) {
      std::vector<Values> each;
      for (int64_t i = 0; i < k; ++i) {
        EXPECT_EQ(sums.taken(), i);
        each.push_back(normal_values(kSize, uint64_t(100 * step + i)));
        std::copy(each.back().begin(), each.back().end(), gradients.data<float>());
        sums.add();
      }
      EXPECT_EQ(sums.taken(), 0);
      EXPECT_EQ(to_host(gradients), tree(each, 0, each.size())) << k << " micro-batches";
    }
  }
}

TEST(GradientTree, FourInPairs) {
  const Tensor gradients = persistent({kSize}, DType::kF32, DeviceKind::kCpu, "gradients");
  GradientTree sums(gradients, 4);
  std::vector<Values> g;
  for (uint64_t i = 0; i < 4; ++i) {
    g.push_back(normal_values(kSize, i));
    std::copy(g[i].begin(), g[i].end(), gradients.data<float>());
    sums.add();
  }
  EXPECT_EQ(to_host(gradients), sum(sum(g[0], g[1]), sum(g[2], g[3])));
  EXPECT_NE(to_host(gradients), sum(sum(sum(g[0], g[1]), g[2]), g[3]));
}

TEST(GradientTree, BuffersAreLogarithmic) {
  const Tensor gradients = persistent({1 << 16}, DType::kF32, DeviceKind::kCpu, "gradients");
  const auto buffers = [&](int64_t k) {
    const int64_t before = heap_bytes_alive();
    const GradientTree sums(gradients, k);
    return (heap_bytes_alive() - before) / (4 << 16);
  };
  EXPECT_EQ(buffers(1), 0);
  EXPECT_EQ(buffers(2), 1);
  EXPECT_EQ(buffers(3), 2);
  EXPECT_EQ(buffers(4), 2);
  EXPECT_EQ(buffers(5), 3);
  EXPECT_EQ(buffers(64), 6);
}

TEST(GradientTree, StartsAgain) {
  const Tensor gradients = persistent({3}, DType::kF32, DeviceKind::kCpu, "gradients");
  GradientTree sums(gradients, 2);
  const auto put = [&](float x) {
    std::fill_n(gradients.data<float>(), 3, x);
    sums.add();
  };
  put(1);
  sums.reset();
  put(10);
  put(100);
  EXPECT_EQ(to_host(gradients), Values(3, 110));
}

TEST(GradientTree, Errors) {
  const auto message = [](const Tensor& g, int64_t k) -> std::string {
    try {
      GradientTree tree(g, k);
    } catch (const ShapeError& e) {
      return e.what();
    }
    return "nothing was thrown";
  };
  EXPECT_EQ(message(normal_tensor({3}, 1), 0), "gradient_tree: 0 micro-batches, must be 1 or more");
  EXPECT_EQ(message(normal_tensor({3}, 1, 1, 0, DType::kBf16), 2),
            "gradient_tree: gradients are bf16 [3], must be contiguous f32");
}

}  // namespace
}  // namespace keel::test
