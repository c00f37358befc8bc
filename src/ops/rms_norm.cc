#include "ops/rms_norm.h"

#include "ops/check.h"

namespace keel {
namespace {

struct Result {
  Tensor sum, y, rstd;
};

Result forward(const Tensor& x, const Tensor& branch, const Tensor& gain, const Tensor& bias,
               float eps, DType out) {
  Result r{branch ? empty(x.shape(), DType::kF32, x.device()) : x,
           empty(x.shape(), out, x.device()), rows_of(x)};
  on_device(x, [&](auto& dev) {
    kernel::rms_norm_fwd(dev, {x, branch, gain, bias, r.sum, r.y, r.rstd, eps});
  });
  return r;
}

void backward(Node& n, const Tensor& dy, const Tensor& dsum, const Tensor& x, const Tensor& gain,
              const Tensor& rstd, bool has_branch) {
  const int gain_at = has_branch ? 2 : 1;
  Grad dx = n.grad_of(0), dbranch;
  if (has_branch) dbranch = n.grad_of(1);
  Grad dgain = n.grad_of(gain_at), dbias = n.grad_of(gain_at + 1);
  const int64_t chunks = (x.rows() + kernel::kNormRows - 1) / kernel::kNormRows;
  Tensor partial;
  if (dgain || dbias) partial = empty({chunks, 2, x.dim(-1)}, DType::kF32, x.device());
  on_device(x, [&](auto& dev) {
    kernel::rms_norm_bwd(dev, {dy, dsum, x, gain, rstd, dx, dbranch, dgain, dbias, partial});
  });
}

// The normed value is made again in backward: one pass over x, which is kept anyway.
void forget_value(const Var& y, const Tensor& x, const Tensor& gain, const Tensor& bias,
                  const Tensor& rstd) {
  rebuild_with(y, [x, gain, bias, rstd, dtype = y.t.dtype()] {
    Tensor again = empty(x.shape(), dtype, x.device());
    on_device(x, [&](auto& dev) { kernel::rms_norm_again(dev, {x, gain, bias, rstd, again}); });
    return again;
  });
}

}  // namespace

Var rms_norm(const Var& x, const Var& gain, const Var& bias, float eps, DType out) {
  check_last_axis("rms_norm", x.t, "gain", gain.t);
  check_last_axis("rms_norm", x.t, "bias", bias.t);
  check_contiguous("rms_norm", "x", x.t);
  Result r = forward(x.t, {}, gain.t, bias.t, eps, out);
  Var y = record("rms_norm", r.y, {x, gain, bias},
                 [x = x.t, gain = gain.t, rstd = r.rstd](Node& n) {
                   backward(n, n.dy(), {}, x, gain, rstd, false);
                 });
  forget_value(y, x.t, gain.t, bias.t, r.rstd);
  return y;
}

AddNorm add_rms_norm(const Var& x, const Var& branch, const Var& gain, const Var& bias, float eps,
                     DType out) {
  check_same_shape("add_rms_norm", "x", x.t, "branch", branch.t);
  check_last_axis("add_rms_norm", x.t, "gain", gain.t);
  check_last_axis("add_rms_norm", x.t, "bias", bias.t);
  Result r = forward(x.t, branch.t, gain.t, bias.t, eps, out);
  AddNorm result{Var(r.sum), Var(r.y)};
  record("add_rms_norm", {&result.sum, &result.y}, {x, branch, gain, bias},
         [sum = r.sum, gain = gain.t, rstd = r.rstd](Node& n) {
           backward(n, n.dy(1), n.dy(0), sum, gain, rstd, true);
         });
  forget_value(result.y, r.sum, gain.t, bias.t, r.rstd);
  return result;
}

}  // namespace keel
