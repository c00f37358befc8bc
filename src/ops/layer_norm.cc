#include "ops/layer_norm.h"

#include "ops/norm_op.h"

namespace keel {
namespace {

struct Kernels {
  static constexpr const char* kName = "layer_norm";
  static constexpr const char* kAddName = "add_layer_norm";

  using Form = float;  // epsilon
  static NormStats stats(const Tensor& x, float) { return {rows_of(x), rows_of(x), {}}; }

  static void fwd(auto& dev, const Tensor& x, const Tensor& branch, const Tensor& gain,
                  const Tensor& bias, const Tensor& sum, const Tensor& y, const NormStats& s,
                  float eps) {
    kernel::layer_norm_fwd(dev, {x, branch, gain, bias, sum, y, s.mean, s.rstd, eps});
  }
  static void bwd(auto& dev, const Tensor& dy, const Tensor& dsum, const Tensor& x,
                  const Tensor& gain, const NormStats& s, const Grad& dx, const Grad& dbranch,
                  const Grad& dgain, const Grad& dbias, const Tensor& partial, float) {
    kernel::layer_norm_bwd(dev,
                           {dy, dsum, x, gain, s.mean, s.rstd, dx, dbranch, dgain, dbias, partial});
  }
  static void pass_sum(auto& dev, const Tensor& dsum, const Grad& dx, const Grad& dbranch, float) {
    pass_to_both(dev, dsum, dx, dbranch);
  }
  static void again(auto& dev, const Tensor& x, const Tensor& gain, const Tensor& bias,
                    const NormStats& s, const Tensor& y) {
    kernel::layer_norm_again(dev, {x, gain, bias, s.mean, s.rstd, y});
  }
};

}  // namespace

Var layer_norm(const Var& x, const Var& gain, const Var& bias, float eps, DType out) {
  return NormOp<Kernels>::norm(x, gain, bias, eps, out);
}

AddNorm add_layer_norm(const Var& x, const Var& branch, const Var& gain, const Var& bias, float eps,
                       DType out) {
  return NormOp<Kernels>::add_norm(x, branch, gain, bias, eps, out);
}

}  // namespace keel
