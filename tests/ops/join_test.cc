#include "ops/join.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "harness/check_op.h"
#include "harness/expect_error.h"

namespace keel::test {
namespace {

TEST(Join, ValuesAndGradients) {
  check_op({.in = {{"a", {5}, kParameter}, {"b", {1}, kParameter}, {"c", {37}, kParameter}},
            .op =
                [](auto& v) {
                  return join({v[0], 5}, {v[1], 1}, {v[2], 37}, DeviceKind::kCpu);
                },
            .ref =
                [](auto& v) {
                  Array y({43});
                  for (int64_t i = 0; i < 43; ++i) {
                    y[i] = i < 5 ? v[0][i] : i < 6 ? v[1][0] : v[2][i - 6];
                  }
                  return y;
                },
            .meta = false});
}

TEST(Join, WhatIsMissingIsZero) {
  const Tensor b = normal_tensor({3}, 1);
  const std::vector<float> y = to_host(join({{}, 2}, {b, 3}, {{}, 1}, DeviceKind::kCpu).t);
  const float* v = b.data<float>();
  EXPECT_EQ(y, (std::vector<float>{0, 0, v[0], v[1], v[2], 0}));
}

TEST(Join, Errors) {
  expect_error<ShapeError>("join: a part is [3], must be [4]", [] {
    join({normal_tensor({3}, 1), 4}, {{}, 1}, {{}, 1}, DeviceKind::kCpu);
  });
}

}  // namespace
}  // namespace keel::test
