#include "ops/branch_scale.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "harness/check_op.h"
#include "harness/expect_error.h"

namespace keel::test {
namespace {

Array scale_ref(const Array& x, const Array& factor) {
  Array y(x.shape);
  const int64_t c = x.dim(-1);
  for (int64_t i = 0; i < x.shape.size(); ++i) {
    y[i] = x[i] * factor[factor.shape.size() == 1 ? 0 : i % c];
  }
  return y;
}

TEST(BranchScale, ValuesAndGradients) {
  for (auto [r, c] : row_shapes()) {
    for (const int64_t factors : {c, int64_t{1}}) {
      check_op({.in = {{"x", {r, c}}, {"factor", {factors}, kParameter, 0.1}},
                .op = [](auto& v) { return branch_scale(v[0], v[1]); },
                .ref = [](auto& v) { return scale_ref(v[0], v[1]); }});
    }
  }
}

TEST(BranchScale, Errors) {
  const Tensor x = normal_tensor({2, 8}, 1);
  expect_error<ShapeError>("branch_scale: factor has 7 values, last axis of x has 8",
                           [&] { branch_scale(x, normal_tensor({7}, 2)); });
  expect_error<ShapeError>("branch_scale: x [2, 4] must be contiguous",
                           [&] { branch_scale(x.slice(1, 0, 4), normal_tensor({4}, 2)); });
}

}  // namespace
}  // namespace keel::test
