#include "ops/linear.h"

#include <fmt/format.h>

#include "backend/cpu/gemm.h"
#include "core/error.h"
#include "ops/check.h"

namespace keel {
namespace {

void check(const Tensor& x, const Tensor& w, const Tensor& bias) {
  check_axes("linear", "weight", w, 2);
  check_contiguous("linear", "x", x);
  if (x.dim(-1) != w.dim(1)) {
    throw ShapeError(
        fmt::format("linear: weight is {}, last axis of x has {}", w.shape().str(), x.dim(-1)));
  }
  if (x.dtype() != w.dtype()) {
    throw ShapeError(fmt::format("linear: x is {}, weight is {}; cast one of them",
                                 name_of(x.dtype()), name_of(w.dtype())));
  }
  if (bias && bias.size() != w.dim(0)) {
    throw ShapeError(
        fmt::format("linear: bias has {} values, weight is {}", bias.size(), w.shape().str()));
  }
}

Shape with_last(const Shape& s, int64_t last) {
  switch (s.axes()) {
    case 1:
      return {last};
    case 2:
      return {s[0], last};
    case 3:
      return {s[0], s[1], last};
    default:
      return {s[0], s[1], s[2], last};
  }
}

Tensor as_matrix(const Tensor& x) { return x.view({x.rows(), x.dim(-1)}); }

}  // namespace

void linear_gradients(const Tensor& dy, const Tensor& x, const Tensor& weight, const Grad& dx,
                      const Grad& dweight) {
  count_flops(((dx ? 2 : 0) + (dweight ? 2 : 0)) * dy.dim(0) * weight.size());
  const Gemm to_x{.a = dy, .b = weight, .c = dx.t, .accumulate = dx.add};
  const Gemm to_weight{
      .a = dy, .b = x, .c = dweight.t, .a_transposed = true, .accumulate = dweight.add};
  on_device(dy, [&](auto& dev) {
    if (dx && dweight) return gemm_pair(dev, to_weight, to_x);
    if (dweight) gemm(dev, to_weight);
    if (dx) gemm(dev, to_x);
  });
}

void bias_gradient(const Tensor& dy, const Grad& dbias) {
  if (!dbias) return;
  const int64_t chunks = (dy.dim(0) + kernel::kSumRows - 1) / kernel::kSumRows;
  Tensor partial = empty({chunks, dy.dim(1)}, DType::kF32, dy.device());
  on_device(dy, [&](auto& dev) { kernel::column_sum(dev, {dy, dbias, partial}); });
}

Var linear(const Var& x, const Var& weight, const Var& bias, DType out_type) {
  check(x.t, weight.t, bias.t);
  Tensor y = empty(with_last(x.shape(), weight.t.dim(0)), out_type, x.t.device());
  count_flops(2 * x.t.size() * weight.t.dim(0));
  on_device(x.t, [&](auto& dev) {
    gemm(dev, {.a = as_matrix(x.t),
               .b = weight.t,
               .c = as_matrix(y),
               .b_transposed = true,
               .bias = bias.t});
  });
  return record("linear", y, {x, weight, bias}, [saved = Saved(x), w = weight.t](Node& n) {
    const Tensor dy = as_matrix(n.dy());
    bias_gradient(dy, n.grad_of(2));
    Tensor x_again;
    if (n.wants(1)) x_again = as_matrix(saved.get());
    const Grad dw = n.grad_of(1);
    Grad dx = n.grad_of(0);
    if (dx) dx.t = as_matrix(dx.t);
    linear_gradients(dy, x_again, w, dx, dw);
  });
}

Var linear(const Var& x, const Var& weight, const Var& bias) {
  return linear(x, weight, bias, x.t.dtype());
}

}  // namespace keel
