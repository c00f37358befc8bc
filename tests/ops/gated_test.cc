#include "ops/gated.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "harness/expect_error.h"
#include "ops/activation_cases.h"

namespace keel::test {
namespace {

TEST(Gated, ValuesAndGradients) {
  for (Activation kind : kActivations) {
    for (auto [r, h] : row_shapes()) {
      check_op({.in = {{"gate_up", {r, 2 * h}}},
                .op = [&](auto& v) { return gated(v[0], kind); },
                .ref =
                    [&](auto& v) {
                      Array y(Shape{r, h});
                      for (int64_t i = 0; i < r; ++i) {
                        for (int64_t j = 0; j < h; ++j) {
                          y[i * h + j] =
                              activation_ref(kind, v[0][i * 2 * h + j]) * v[0][i * 2 * h + h + j];
                        }
                      }
                      return y;
                    },
                .difference_scales = {1e-3, 1},
                .kinked = kind == Activation::kRelu});
    }
  }
}

// The bilinear form is of degree two: f(2 x) = 4 f(x).
TEST(Gated, BilinearIsOfDegreeTwo) {
  const Tensor y = gated(normal_tensor({3, 10}, 1), Activation::kIdentity).t;
  const Tensor twice = gated(normal_tensor({3, 10}, 1, 2), Activation::kIdentity).t;
  for (int64_t i = 0; i < y.size(); ++i) {
    EXPECT_EQ(twice.data<float>()[i], 4 * y.data<float>()[i]);
  }
}

TEST(Gated, KeepsLeadingAxes) {
  EXPECT_EQ(gated(normal_tensor({2, 3, 8}, 1), Activation::kSilu).shape(), (Shape{2, 3, 4}));
  EXPECT_EQ(gated(normal_tensor({8}, 1), Activation::kSilu).shape(), (Shape{4}));
}

TEST(Gated, OddWidthIsAnError) {
  expect_error<ShapeError>("gated: gate_up is [2, 7], the last axis must be even", [&] {
    gated(normal_tensor({2, 7}, 1), Activation::kSilu);
  });
}

}  // namespace
}  // namespace keel::test
