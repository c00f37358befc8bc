#include "ops/linear.h"

#include <gtest/gtest.h>

#include "backend/cpu/gemm.h"
#include "core/error.h"
#include "harness/check_op.h"
#include "harness/expect_error.h"

namespace keel::test {
namespace {

Array linear_ref(const Array& x, const Array& w, const Array* bias) {
  const int64_t k = w.dim(1), n = w.dim(0);
  Array y(Shape{x.rows(), n});
  for (int64_t r = 0; r < x.rows(); ++r) {
    for (int64_t j = 0; j < n; ++j) {
      Complex s = bias ? (*bias)[j] : 0.0;
      for (int64_t i = 0; i < k; ++i) s += x[r * k + i] * w[j * k + i];
      y[r * n + j] = s;
    }
  }
  return y;
}

void check(int64_t rows, int64_t in, int64_t out, bool bias) {
  std::vector<OpInput> inputs{{"x", {rows, in}}, {"weight", {out, in}, kWeight}};
  if (bias) inputs.push_back({"bias", {out}, kParameter});
  check_op({.in = inputs,
            .op = [](auto& v) { return linear(v[0], v[1], v.size() > 2 ? v[2] : Var()); },
            .ref = [](auto& v) { return linear_ref(v[0], v[1], v.size() > 2 ? &v[2] : nullptr); },
            .bf16 = cpu_has_bf16()});
}

TEST(Linear, ValuesAndGradients) {
  for (bool bias : {false, true}) {
    check(1, 1, 1, bias);
    check(3, 7, 5, bias);
    check(2, 16, 33, bias);
    check(131, 37, 19, bias);
    check(65, 130, 67, bias);
    check(0, 8, 4, bias);
  }
  if (!cpu_has_bf16()) GTEST_SKIP() << "the bf16 cases: this CPU has no bf16 products";
}

// bf16 operands, f32 out: the logits.
TEST(Linear, F32FromBf16) {
  if (!cpu_has_bf16()) GTEST_SKIP() << "this CPU has no bf16 products";
  const Tensor x = normal_tensor({5, 64}, 1, 1, 0, DType::kBf16);
  const Tensor w = normal_tensor({9, 64}, 2, 1, 0, DType::kBf16);
  const Tensor y = linear(x, w, {}, DType::kF32).t;
  EXPECT_EQ(y.dtype(), DType::kF32);
  const Tensor x32 = from_host(x.shape(), to_host(x)), w32 = from_host(w.shape(), to_host(w));
  EXPECT_LT(relative_error(y, linear(x32, w32, {}).t), 1e-6);
}

TEST(Linear, KeepsLeadingAxes) {
  const Tensor x = normal_tensor({2, 3, 4, 5}, 1), w = normal_tensor({7, 5}, 2);
  const Tensor y = linear(x, w, {}).t;
  EXPECT_EQ(y.shape(), (Shape{2, 3, 4, 7}));
  EXPECT_TRUE(same_bits(y.view({24, 7}), linear(x.view({24, 5}), w, {}).t));
  EXPECT_EQ(linear(normal_tensor({5}, 1), w, {}).shape(), (Shape{7}));
}

TEST(Linear, CountsItsFlops) {
  reset_counted_flops();
  Slot x, w;
  const Var y = linear(Var(normal_tensor({3, 5}, 1), &x), Var(normal_tensor({7, 5}, 2), &w), {});
  EXPECT_EQ(counted_flops(), 2 * 3 * 5 * 7);
  backward(y, normal_tensor({3, 7}, 3));
  EXPECT_EQ(counted_flops(), 3 * 2 * 3 * 5 * 7);
}

TEST(Linear, Errors) {
  const Tensor x = normal_tensor({2, 8}, 1), w = normal_tensor({3, 8}, 2);
  expect_error<ShapeError>("linear: weight is [3, 7], last axis of x has 8", [&] {
    linear(x, normal_tensor({3, 7}, 1), {});
  });
  expect_error<ShapeError>("linear: weight is [24], must have 2 axes",
                           [&] { linear(x, w.view({24}), {}); });
  expect_error<ShapeError>("linear: bias has 8 values, weight is [3, 8]",
                           [&] { linear(x, w, normal_tensor({8}, 1)); });
  expect_error<ShapeError>("linear: x is f32, weight is bf16; cast one of them", [&] {
    linear(x, normal_tensor({3, 8}, 1, 1, 0, DType::kBf16), {});
  });
  expect_error<ShapeError>("linear: x [2, 4] must be contiguous",
                           [&] { linear(x.slice(1, 0, 4), w.slice(1, 0, 4), {}); });
}

}  // namespace
}  // namespace keel::test
