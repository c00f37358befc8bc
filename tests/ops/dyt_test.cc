#include "ops/dyt.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "harness/check_op.h"
#include "harness/expect_error.h"

namespace keel::test {
namespace {

Array dyt_ref(const Array& x, const Complex& alpha, const Array* gain, const Array* bias) {
  Array y(x.shape);
  const int64_t c = x.dim(-1);
  for (int64_t i = 0; i < x.shape.size(); ++i) {
    // std::tanh of complex numbers overflows far from 0, where the value is the sign.
    const Complex u = alpha * x[i];
    const Complex t = std::abs(u.real()) > 20 ? Complex(u.real() > 0 ? 1 : -1) : std::tanh(u);
    y[i] = t * (gain ? (*gain)[i % c] : 1.0) + (bias ? (*bias)[i % c] : 0.0);
  }
  return y;
}

TEST(DynamicTanh, GainAndBias) {
  for (auto [r, c] : row_shapes()) {
    check_op({.in = {{"x", {r, c}},
                     {"alpha", {1}, kParameter, 1},
                     {"gain", {c}, kParameter, 1},
                     {"bias", {c}, kParameter}},
              .op = [](auto& v) { return dyt(v[0], v[1], v[2], v[3], v[0].t.dtype()); },
              .ref = [](auto& v) { return dyt_ref(v[0], v[1][0], &v[2], &v[3]); },
              .scales = {1e-3, 1},
              .difference_scales = {1e-3, 1}});
  }
}

TEST(DynamicTanh, Options) {
  const Shape x{70, 19}, c{19};
  check_op({.in = {{"x", x}, {"alpha", {1}, kParameter, 1}},
            .op = [](auto& v) { return dyt(v[0], v[1], {}, {}, v[0].t.dtype()); },
            .ref = [](auto& v) { return dyt_ref(v[0], v[1][0], nullptr, nullptr); },
            .scales = {1e-3, 1},
            .difference_scales = {1e-3, 1}});
  check_op({.in = {{"x", x, kStream}, {"alpha", {1}, kParameter, 1}, {"gain", c, kParameter, 1}},
            .op = [](auto& v) { return dyt(v[0], v[1], v[2], {}, DType::kBf16); },
            .ref = [](auto& v) { return dyt_ref(v[0], v[1][0], &v[2], nullptr); },
            .scales = {1e-3, 1},
            .difference_scales = {}});
}

TEST(DynamicTanh, FusedWithAdd) {
  for (auto [r, c] : row_shapes()) {
    const Shape x{r, c};
    check_op({.in = {{"x", x, kStream},
                     {"branch", x},
                     {"alpha", {1}, kParameter, 1},
                     {"gain", {c}, kParameter, 1},
                     {"bias", {c}, kParameter}},
              .op = [](auto& v) -> OneOrMore<Var> {
                AddNorm a = add_dyt(v[0], v[1], v[2], v[3], v[4], v[1].t.dtype());
                return {a.sum, a.y};
              },
              .ref = [](auto& v) -> OneOrMore<Array> {
                Array sum = v[0];
                for (int64_t i = 0; i < sum.shape.size(); ++i) sum[i] += v[1][i];
                return {sum, dyt_ref(sum, v[2][0], &v[3], &v[4])};
              },
              .scales = {1e-3, 1},
              .difference_scales = {1e-3, 1}});
  }
}

// |y| <= |gain| + |bias|, and gain alpha x + bias where alpha x is small.
TEST(DynamicTanh, BoundedAndLinearNearZero) {
  const Tensor x = normal_tensor({4, 33}, 1, 100), gain = normal_tensor({33}, 2),
               bias = normal_tensor({33}, 3);
  const std::vector<float> y =
      to_host(dyt(x, from_host({1}, std::vector<float>{0.5f}), gain, bias, DType::kF32).t);
  const std::vector<float> small =
      to_host(dyt(x, from_host({1}, std::vector<float>{1e-6f}), gain, bias, DType::kF32).t);
  for (size_t i = 0; i < y.size(); ++i) {
    const float g = gain.data<float>()[i % 33], b = bias.data<float>()[i % 33];
    EXPECT_LE(std::abs(y[i]), std::abs(g) + std::abs(b) + 1e-6f);
    EXPECT_NEAR(small[i], g * 1e-6f * x.data<float>()[i] + b, 1e-6f);
  }
}

TEST(DynamicTanh, OnlyTheSumIsUsed) {
  Slot x, branch, alpha;
  alpha.grad = normal_tensor({1}, 5);
  const AddNorm a =
      add_dyt(Var(normal_tensor({2, 9}, 1), &x), Var(normal_tensor({2, 9}, 2), &branch),
              Var(normal_tensor({1}, 3), &alpha), {}, {}, DType::kF32);
  const Tensor dy = normal_tensor({2, 9}, 4);
  backward(a.sum, dy);
  EXPECT_TRUE(same_bits(x.grad, dy));
  EXPECT_TRUE(same_bits(branch.grad, dy));
  EXPECT_FALSE(alpha.written);
}

TEST(DynamicTanh, Errors) {
  const Tensor x = normal_tensor({2, 8}, 1), one = normal_tensor({1}, 2);
  expect_error<ShapeError>("dyt: alpha has 8 values, must have 1",
                           [&] { dyt(x, normal_tensor({8}, 2), {}, {}, DType::kF32); });
  expect_error<ShapeError>("dyt: gain has 7 values, last axis of x has 8",
                           [&] { dyt(x, one, normal_tensor({7}, 2), {}, DType::kF32); });
  expect_error<ShapeError>("add_dyt: x is [2, 8], branch is [1, 8]",
                           [&] { add_dyt(x, x.slice(0, 0, 1), one, {}, {}, DType::kF32); });
}

}  // namespace
}  // namespace keel::test
