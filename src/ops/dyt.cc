#include "ops/dyt.h"

#include <fmt/format.h>

#include "core/device.h"
#include "core/error.h"
#include "ops/check.h"
#include "ops/copy.h"

namespace keel {
namespace {

void check(const char* op, const Var& x, const Var& alpha, const Var& gain, const Var& bias) {
  if (!alpha || alpha.t.size() != 1) {
    throw ShapeError(fmt::format("{}: alpha has {} values, must have 1", op, alpha.t.size()));
  }
  check_last_axis(op, x.t, "gain", gain.t);
  check_last_axis(op, x.t, "bias", bias.t);
  check_contiguous(op, "x", x.t);
}

// Inputs of the node: x, then the branch if there is one, then alpha, gain and bias.
void backward(Node& n, const Tensor& dy, const Tensor& dsum, const Tensor& x, const Tensor& alpha,
              const Tensor& gain, bool has_branch) {
  const Grad dx = n.grad_of(0), dbranch = has_branch ? n.grad_of(1) : Grad();
  if (!dy) {  // only the sum was used
    on_device(
        x,
        [&](auto& dev) {
          kernel::copy(dev, {dsum, dx});
          kernel::copy(dev, {dsum, dbranch});
        },
        "dyt");
    return;
  }
  const int at = has_branch ? 2 : 1;
  const Grad dalpha = n.grad_of(at), dgain = n.grad_of(at + 1), dbias = n.grad_of(at + 2);
  const int64_t chunks = (x.rows() + kernel::kNormRows - 1) / kernel::kNormRows;
  Tensor partial, alpha_partial;
  if (dgain || dbias) partial = empty({chunks, 2, x.dim(-1)}, DType::kF32, x.device());
  if (dalpha) alpha_partial = empty({chunks}, DType::kF32, x.device());
  on_device(
      x,
      [&](auto& dev) {
        kernel::dyt_bwd(dev, {dy, dsum, x, alpha, gain, dx, dbranch, dalpha, dgain, dbias, partial,
                              alpha_partial});
      },
      "dyt");
}

// The value is made again in backward: one pass over x, which is kept anyway.
void forget_value(const Var& y, const Tensor& x, const Tensor& alpha, const Tensor& gain,
                  const Tensor& bias) {
  rebuild_with(y, [x, alpha, gain, bias, dtype = y.t.dtype()] {
    Tensor again = empty(x.shape(), dtype, x.device());
    on_device(
        x,
        [&](auto& dev) {
          kernel::dyt_fwd(dev, {x, {}, alpha, gain, bias, x, again});
        },
        "dyt");
    return again;
  });
}

}  // namespace

Var dyt(const Var& x, const Var& alpha, const Var& gain, const Var& bias, DType out) {
  check("dyt", x, alpha, gain, bias);
  Tensor value = empty(x.shape(), out, x.t.device());
  on_device(value, [&](auto& dev) {
    kernel::dyt_fwd(dev, {x.t, {}, alpha.t, gain.t, bias.t, x.t, value});
  });
  Var y = record("dyt", value, {x, alpha, gain, bias},
                 [x = x.t, alpha = alpha.t, gain = gain.t](Node& n) {
                   backward(n, n.dy(), {}, x, alpha, gain, false);
                 });
  forget_value(y, x.t, alpha.t, gain.t, bias.t);
  return y;
}

AddNorm add_dyt(const Var& x, const Var& branch, const Var& alpha, const Var& gain, const Var& bias,
                DType out) {
  check("add_dyt", x, alpha, gain, bias);
  check_same_shape("add_dyt", "x", x.t, "branch", branch.t);
  check_contiguous("add_dyt", "branch", branch.t);
  Tensor sum = empty(x.shape(), DType::kF32, x.t.device());
  Tensor value = empty(x.shape(), out, x.t.device());
  on_device(value, [&](auto& dev) {
    kernel::dyt_fwd(dev, {x.t, branch.t, alpha.t, gain.t, bias.t, sum, value});
  });
  AddNorm result{Var(sum), Var(value)};
  record("add_dyt", {&result.sum, &result.y}, {x, branch, alpha, gain, bias},
         [sum, alpha = alpha.t, gain = gain.t](Node& n) {
           backward(n, n.dy(1), n.dy(0), sum, alpha, gain, true);
         });
  forget_value(result.y, sum, alpha.t, gain.t, bias.t);
  return result;
}

}  // namespace keel
