// The glue of layer_norm, rms_norm and general_norm, which differ in their kernels only. For those
// three .cc files.
#pragma once

#include "core/device.h"
#include "ops/check.h"
#include "ops/copy.h"
#include "ops/norm.h"

namespace keel {

struct NormStats {
  Tensor mean, rstd;  // f32 [rows]; mean empty for rms_norm
  Tensor weight;      // f32 [rows], general_norm only
};

// The gradient of a sum is that of both its parts.
inline void pass_to_both(auto& dev, const Tensor& dsum, const Grad& dx, const Grad& dbranch) {
  kernel::copy(dev, {dsum, dx});
  kernel::copy(dev, {dsum, dbranch});
}

// Kernels: a type Form (epsilon and what else the op is told), static fwd, bwd and again (device
// context, tensors in the order of the kernels' structs), static stats(x, form), pass_sum (the
// gradients when only the sum was used) and the names of both ops.
template <class Kernels>
struct NormOp {
  using Form = typename Kernels::Form;
  struct Result {
    Tensor sum, y;
    NormStats stats;
  };

  static Result forward(const Tensor& x, const Tensor& branch, const Tensor& gain,
                        const Tensor& bias, const Form& form, DType out) {
    Result r{branch ? empty(x.shape(), DType::kF32, x.device()) : x,
             empty(x.shape(), out, x.device()), Kernels::stats(x, form)};
    on_device(
        x, [&](auto& dev) { Kernels::fwd(dev, x, branch, gain, bias, r.sum, r.y, r.stats, form); });
    return r;
  }

  // Inputs of the node: x, then the branch if there is one, then gain and bias.
  static void backward(Node& n, const Tensor& dy, const Tensor& dsum, const Tensor& x,
                       const Tensor& gain, const NormStats& stats, const Form& form,
                       bool has_branch) {
    Grad dx = n.grad_of(0), dbranch;
    if (has_branch) dbranch = n.grad_of(1);
    if (!dy) {  // only the sum was used
      on_device(
          x, [&](auto& dev) { Kernels::pass_sum(dev, dsum, dx, dbranch, form); }, Kernels::kName);
      return;
    }
    const int gain_at = has_branch ? 2 : 1;
    Grad dgain = n.grad_of(gain_at), dbias = n.grad_of(gain_at + 1);
    const int64_t chunks = (x.rows() + kernel::kNormRows - 1) / kernel::kNormRows;
    Tensor partial;
    if (dgain || dbias) partial = empty({chunks, 2, x.dim(-1)}, DType::kF32, x.device());
    on_device(
        x,
        [&](auto& dev) {
          Kernels::bwd(dev, dy, dsum, x, gain, stats, dx, dbranch, dgain, dbias, partial, form);
        },
        Kernels::kName);
  }

  // The normed value is made again in backward: one pass over x, which is kept anyway.
  static void forget_value(const Var& y, const Tensor& x, const Tensor& gain, const Tensor& bias,
                           const NormStats& stats) {
    rebuild_with(y, [x, gain, bias, stats, dtype = y.t.dtype()] {
      Tensor again = empty(x.shape(), dtype, x.device());
      on_device(
          x, [&](auto& dev) { Kernels::again(dev, x, gain, bias, stats, again); }, Kernels::kName);
      return again;
    });
  }

  static void check(const char* name, const Var& x, const Var& gain, const Var& bias) {
    check_last_axis(name, x.t, "gain", gain.t);
    check_last_axis(name, x.t, "bias", bias.t);
    check_contiguous(name, "x", x.t);
  }

  static Var norm(const Var& x, const Var& gain, const Var& bias, const Form& form, DType out) {
    check(Kernels::kName, x, gain, bias);
    Result r = forward(x.t, {}, gain.t, bias.t, form, out);
    Var y = record(Kernels::kName, r.y, {x, gain, bias},
                   [x = x.t, gain = gain.t, stats = r.stats, form](Node& n) {
                     backward(n, n.dy(), {}, x, gain, stats, form, false);
                   });
    forget_value(y, x.t, gain.t, bias.t, r.stats);
    return y;
  }

  static AddNorm add_norm(const Var& x, const Var& branch, const Var& gain, const Var& bias,
                          const Form& form, DType out) {
    check(Kernels::kAddName, x, gain, bias);
    check_same_shape(Kernels::kAddName, "x", x.t, "branch", branch.t);
    check_contiguous(Kernels::kAddName, "branch", branch.t);
    Result r = forward(x.t, branch.t, gain.t, bias.t, form, out);
    AddNorm result{Var(r.sum), Var(r.y)};
    record(Kernels::kAddName, {&result.sum, &result.y}, {x, branch, gain, bias},
           [sum = r.sum, gain = gain.t, stats = r.stats, form](Node& n) {
             backward(n, n.dy(1), n.dy(0), sum, gain, stats, form, true);
           });
    forget_value(result.y, r.sum, gain.t, bias.t, r.stats);
    return result;
  }
};

}  // namespace keel
