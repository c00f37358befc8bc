#include "ops/cast.h"

#include <gtest/gtest.h>

#include "harness/check_op.h"

namespace keel::test {
namespace {

TEST(Cast, ToBf16AndBack) {
  for (auto [r, c] : row_shapes()) {
    auto ref = [](auto& v) { return v[0]; };
    check_op({.in = {{"x", {r, c}, kStream}},
              .op = [](auto& v) { return cast(v[0], DType::kBf16); },
              .ref = ref,
              .difference_scales = {},
              .bound = 4e-3});
    check_op(
        {.in = {{"x", {r, c}}}, .op = [](auto& v) { return cast(v[0], DType::kF32); }, .ref = ref});
  }
}

TEST(Cast, ToItsOwnTypeIsTheInputItself) {
  const Tensor x = normal_tensor({2, 3}, 1);
  EXPECT_EQ(cast(x, DType::kF32).t.raw(), x.raw());
}

}  // namespace
}  // namespace keel::test
