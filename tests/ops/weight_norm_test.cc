#include "ops/weight_norm.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "harness/check_op.h"
#include "harness/expect_error.h"
#include "harness/golden.h"

namespace keel::test {
namespace {

TEST(WeightNorm, ValuesAndGradients) {
  for (const auto& [rows, columns] :
       std::vector<std::array<int64_t, 2>>{{1, 3}, {7, 5}, {67, 131}, {0, 4}}) {
    check_op({.in = {{"v", {rows, columns}, kStream}, {"gain", {rows}, kParameter, 1}},
              .op = [&](auto& v) { return weight_norm(v[0], v[1], DType::kF32); },
              .ref =
                  [&](auto& v) {
                    Array y(v[0].shape);
                    for (int64_t r = 0; r < rows; ++r) {
                      Complex square = 0;
                      for (int64_t i = 0; i < columns; ++i) {
                        square += v[0][r * columns + i] * v[0][r * columns + i];
                      }
                      for (int64_t i = 0; i < columns; ++i) {
                        y[r * columns + i] = v[1][r] / std::sqrt(square) * v[0][r * columns + i];
                      }
                    }
                    return y;
                  },
              .bf16 = false});
  }
}

TEST(WeightNorm, AgainstPyTorch) {
  const Golden golden("linears.safetensors");
  const auto at = [&](const char* name) {
    return golden.tensor(std::string("weight_norm.") + name);
  };
  Slot v_slot, g_slot;
  const Var y = weight_norm(Var(at("v"), &v_slot), Var(at("g"), &g_slot), DType::kF32);
  EXPECT_LT(relative_error(y.t, at("y")), 1e-6);
  backward(y, at("dy"));
  EXPECT_LT(relative_error(v_slot.grad, at("dv")), 1e-6);
  EXPECT_LT(relative_error(g_slot.grad, at("dg")), 1e-6);
}

TEST(WeightNorm, ScaleOfVDoesNotMatter) {
  const Tensor g = normal_tensor({9}, 3);
  EXPECT_LT(relative_error(weight_norm(normal_tensor({9, 8}, 1, 1000), g, DType::kF32).t,
                           weight_norm(normal_tensor({9, 8}, 1), g, DType::kF32).t),
            1e-6);
}

TEST(WeightNorm, Errors) {
  expect_error<ShapeError>("weight_norm: 3 gains for v of [2, 4]", [] {
    weight_norm(normal_tensor({2, 4}, 1), normal_tensor({3}, 1), DType::kF32);
  });
  expect_error<ShapeError>("weight_norm: v is bf16, must be f32", [] {
    weight_norm(normal_tensor({2, 4}, 1, 1, 0, DType::kBf16), normal_tensor({2}, 1), DType::kF32);
  });
}

}  // namespace
}  // namespace keel::test
