#include "ops/add.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "harness/check_op.h"
#include "harness/expect_error.h"

namespace keel::test {
namespace {

TEST(Add, ValuesAndGradients) {
  for (auto [r, c] : row_shapes()) {
    for (Role b : {kStream, kData}) {
      check_op({.in = {{"a", {r, c}, kStream}, {"b", {r, c}, b}},
                .op = [](auto& v) { return add(v[0], v[1]); },
                .ref =
                    [](auto& v) {
                      Array y = v[0];
                      for (size_t i = 0; i < y.v.size(); ++i) y.v[i] += v[1].v[i];
                      return y;
                    }});
    }
  }
}

TEST(Add, Errors) {
  expect_error<ShapeError>("add: a is [2, 3], b is [3, 2]", [] {
    add(normal_tensor({2, 3}, 1), normal_tensor({3, 2}, 1));
  });
}

}  // namespace
}  // namespace keel::test
