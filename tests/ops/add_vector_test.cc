#include "ops/add_vector.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "harness/check_op.h"
#include "harness/expect_error.h"

namespace keel::test {
namespace {

TEST(AddVector, AgreesWithTheFormula) {
  for (const Shape& shape : {Shape{1, 1, 1, 1}, Shape{2, 5, 3, 7}, Shape{3, 67, 2, 18}}) {
    check_op({.in = {{"x", shape}, {"v", {shape[2], shape[3]}, kWeight}},
              .op = [](auto& v) { return add_vector(v[0], v[1]); },
              .ref =
                  [&](auto& v) {
                    Array y(shape);
                    for (int64_t i = 0; i < shape.size(); ++i) {
                      y[i] = v[0][i] + v[1][i % (shape[2] * shape[3])];
                    }
                    return y;
                  },
              .scales = {1}});
  }
}

TEST(AddVector, ShapesThatDoNotFit) {
  expect_error<ShapeError>("add_vector: v is [8], x [1, 3, 2, 4]; must be [2, 4]", [] {
    add_vector(Var(empty({1, 3, 2, 4})), Var(empty({8})));
  });
}

}  // namespace
}  // namespace keel::test
