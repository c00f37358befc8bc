#include "ops/blend.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "harness/check_op.h"
#include "harness/expect_error.h"
#include "ops/add.h"

namespace keel::test {
namespace {

TEST(Blend, ValuesAndGradients) {
  for (const Shape& shape : {Shape{1}, Shape{3, 7}, Shape{0, 8}, Shape{131, 67}}) {
    check_op({.in = {{"x", shape, kStream}, {"z", shape}},
              .op = [](auto& v) { return blend(v[0], 1.5f, v[1], -0.25f); },
              .ref =
                  [&](auto& v) {
                    Array y(shape);
                    for (int64_t i = 0; i < shape.size(); ++i)
                      y[i] = 1.5 * v[0][i] - 0.25 * v[1][i];
                    return y;
                  }});
    check_op({.in = {{"x", shape, kParameter}},
              .op = [](auto& v) { return blend(v[0], 0.5f, {}, 0, 0.5f); },
              .ref =
                  [&](auto& v) {
                    Array y(shape);
                    for (int64_t i = 0; i < shape.size(); ++i) y[i] = 0.5 * v[0][i] + 0.5;
                    return y;
                  }});
  }
}

TEST(Blend, OneAndOneIsAdd) {
  const Tensor x = normal_tensor({5, 37}, 1), z = normal_tensor({5, 37}, 2);
  EXPECT_TRUE(same_bits(blend(x, 1, z, 1).t, add(x, z).t));
}

TEST(Blend, Errors) {
  const Tensor x = normal_tensor({2, 8}, 1);
  expect_error<ShapeError>("blend: x is [2, 8], z is [1, 8]",
                           [&] { blend(x, 1, x.slice(0, 0, 1), 1); });
  expect_error<ShapeError>("blend: x [2, 4] must be contiguous",
                           [&] { blend(x.slice(1, 0, 4), 1, {}, 0); });
  expect_error<ShapeError>("blend: z [2, 4] must be contiguous", [&] {
    blend(normal_tensor({2, 4}, 1), 1, x.slice(1, 0, 4), 1);
  });
}

}  // namespace
}  // namespace keel::test
