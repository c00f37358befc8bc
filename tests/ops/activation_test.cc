#include "ops/activation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/error.h"
#include "harness/expect_error.h"
#include "ops/activation_cases.h"

namespace keel::test {
namespace {

TEST(Activation, ValuesAndGradients) {
  for (Activation kind : kActivations) {
    for (const Shape& shape :
         {Shape{1}, Shape{3, 7}, Shape{0, 8}, Shape{2, 3, 16}, Shape{131, 67}}) {
      check_op({.in = {{"x", shape}},
                .op = [&](auto& v) { return activation(v[0], kind); },
                .ref =
                    [&](auto& v) {
                      Array y(v[0].shape);
                      for (int64_t i = 0; i < shape.size(); ++i)
                        y[i] = activation_ref(kind, v[0][i]);
                      return y;
                    },
                .difference_scales = {1e-3, 1},
                .kinked = kind == Activation::kRelu});
    }
  }
}

// Far from 0 each one is what it tends to, with slopes 0 and 1, and no NaN in between.
TEST(Activation, Ends) {
  const float far = 1e6f, nan = std::numeric_limits<float>::quiet_NaN();
  for (Activation kind : kActivations) {
    Slot slot;
    const Var y = activation(Var(from_host({3}, std::vector<float>{-far, far, nan}), &slot), kind);
    const std::vector<float> v = to_host(y.t);
    const bool identity = kind == Activation::kIdentity, sigmoid = kind == Activation::kSigmoid;
    const bool square = kind == Activation::kRelu2, elu = kind == Activation::kElu;
    EXPECT_EQ(v[0], identity ? -far : elu ? -1 : 0);
    EXPECT_EQ(v[1], sigmoid ? 1 : square ? far * far : far);
    EXPECT_TRUE(std::isnan(v[2]));
    backward(y, from_host({3}, std::vector<float>{1, 1, 1}));
    const std::vector<float> g = to_host(slot.grad);
    EXPECT_EQ(g[0], identity ? 1 : 0);
    EXPECT_EQ(g[1], sigmoid ? 0 : square ? 2 * far : 1);
  }
}

TEST(Activation, NeedsContiguousMemory) {
  const Tensor x = normal_tensor({2, 8}, 1).slice(1, 0, 3);
  expect_error<ShapeError>("activation: x [2, 3] must be contiguous",
                           [&] { activation(x, Activation::kSilu); });
}

}  // namespace
}  // namespace keel::test
