#include "ops/softcap.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "harness/check_op.h"
#include "harness/expect_error.h"

namespace keel::test {
namespace {

TEST(Softcap, ValuesAndGradients) {
  for (const double cap : {0.0, 2.0, 30.0}) {
    for (const Shape& shape : {Shape{1}, Shape{3, 7}, Shape{0, 8}, Shape{131, 67}}) {
      check_op({.in = {{"x", shape, kStream}},
                .op = [&](auto& v) { return softcap(v[0], 0.5f, static_cast<float>(cap)); },
                .ref =
                    [&](auto& v) {
                      Array y(v[0].shape);
                      for (int64_t i = 0; i < shape.size(); ++i) {
                        const Complex z = 0.5 * v[0][i];
                        y[i] = cap > 0 ? cap * std::tanh(z / cap) : z;
                      }
                      return y;
                    },
                .scales = {1e-3, 1, 10},
                .difference_scales = {1e-3, 1},
                .bf16 = false});
    }
  }
}

// Below the cap in size, and no cap at all when it is far away.
TEST(Softcap, StaysBelowTheCap) {
  const Tensor x = normal_tensor({1000}, 1, 100);
  const std::vector<float> y = to_host(softcap(x, 1, 30).t), in = to_host(x);
  const std::vector<float> far = to_host(softcap(x, 1, 1e8f).t);
  for (size_t i = 0; i < y.size(); ++i) {
    EXPECT_LE(std::abs(y[i]), 30);
    EXPECT_NEAR(far[i], in[i], 1e-5 * std::abs(in[i]));
  }
}

TEST(Softcap, Errors) {
  expect_error<ShapeError>("softcap: x is bf16, must be f32",
                           [] { softcap(normal_tensor({2}, 1, 1, 0, DType::kBf16), 1, 30); });
}

}  // namespace
}  // namespace keel::test
