#include "ops/sigma_reparam.h"

#include <fmt/format.h>

#include "core/error.h"
#include "ops/check.h"

namespace keel {
namespace {

void check(const Tensor& weight, const Tensor& gamma, const SigmaReparamArgs& a) {
  check_axes("sigma_reparam", "weight", weight, 2);
  check_contiguous("sigma_reparam", "weight", weight);
  if (weight.dtype() != DType::kF32) {
    throw ShapeError(
        fmt::format("sigma_reparam: weight is {}, must be f32", name_of(weight.dtype())));
  }
  if (a.rows.total() != weight.dim(0)) {
    throw ShapeError(fmt::format("sigma_reparam: the parts have {} rows, weight is {}",
                                 a.rows.total(), weight.shape().str()));
  }
  if (gamma.size() != a.rows.parts) {
    throw ShapeError(
        fmt::format("sigma_reparam: {} gammas for {} parts", gamma.size(), a.rows.parts));
  }
  const Shape vectors{a.rows.parts, weight.dim(1)};
  for (const Tensor& u : {a.u, a.next}) {
    if (!u || u.shape() == vectors) continue;
    throw ShapeError(
        fmt::format("sigma_reparam: u is {}, must be {}", u.shape().str(), vectors.str()));
  }
}

Tensor step(const Tensor& weight, const StackedRows& rows, const Tensor& u, const Tensor& next,
            const Tensor& sigma) {
  Tensor v = empty({weight.dim(0)}, DType::kF32, weight.device());
  const Tensor partial =
      empty({kernel::spectral_pieces(rows), weight.dim(1)}, DType::kF32, weight.device());
  count_flops(4 * weight.size());
  on_device(weight, [&](auto& dev) {
    kernel::spectral_step(dev, {weight, u, rows, v, next, sigma, partial});
  });
  return v;
}

}  // namespace

void spectral_step(const Tensor& weight, const StackedRows& rows, const Tensor& u,
                   const Tensor& next, const Tensor& sigma) {
  step(weight, rows, u, next, sigma);
}

Var sigma_reparam(const Var& weight, const Var& gamma, const SigmaReparamArgs& a) {
  check(weight.t, gamma.t, a);
  const DeviceKind device = weight.t.device();
  const Tensor next = a.next ? a.next : empty(a.u.shape(), DType::kF32, device);
  Tensor sigma = empty({a.rows.parts}, DType::kF32, device);
  Tensor v = step(weight.t, a.rows, a.u, next, sigma);
  Tensor y = empty(weight.shape(), a.out, device);
  count_flops(weight.t.size());
  on_device(weight.t, [&](auto& dev) {
    kernel::sigma_reparam_fwd(dev, {weight.t, gamma.t, sigma, a.rows, y});
  });
  Var out =
      record("sigma_reparam", y, {weight, gamma},
             [w = weight.t, g = gamma.t, sigma, v, next, rows = a.rows](Node& n) {
               const Tensor dy = n.dy();
               const Grad dw = n.grad_of(0), dg = n.grad_of(1);
               const Tensor inner = empty({w.dim(0)}, DType::kF32, w.device());
               count_flops(6 * w.size());
               on_device(dy, [&](auto& dev) {
                 kernel::sigma_reparam_bwd(dev, {dy, w, g, sigma, v, next, rows, inner, dw, dg});
               });
             });
  if (out.slot) out.slot->wide = true;
  return out;
}

}  // namespace keel
