#include "ops/branch_scale.h"

#include <fmt/format.h>

#include "core/device.h"
#include "core/error.h"
#include "ops/check.h"

namespace keel {
namespace {

void check_factor(const Tensor& x, const Tensor& factor) {
  const bool one = factor.shape().axes() == 1 && factor.size() == 1;
  if (!one) check_last_axis("branch_scale", x, "factor", factor);
}

Tensor scaled(const Tensor& x, const Tensor& factor) {
  Tensor y = like(x);
  on_device(
      x,
      [&](auto& dev) {
        kernel::branch_scale_fwd(dev, {x, factor, y});
      },
      "branch_scale");
  return y;
}

}  // namespace

Var branch_scale(const Var& x, const Var& factor) {
  check_contiguous("branch_scale", "x", x.t);
  check_factor(x.t, factor.t);
  Var y = record("branch_scale", scaled(x.t, factor.t), {x, factor},
                 [saved = Saved(x), factor = factor.t](Node& n) {
                   const Tensor dy = n.dy();
                   const Grad dx = n.grad_of(0), dfactor = n.grad_of(1);
                   Tensor x_again, partial;
                   if (dfactor) {
                     x_again = saved.get();
                     const int64_t chunks =
                         (dy.rows() + kernel::kScaleRows - 1) / kernel::kScaleRows;
                     partial = empty({chunks, dy.dim(-1)}, DType::kF32, dy.device());
                   }
                   on_device(
                       dy,
                       [&](auto& dev) {
                         kernel::branch_scale_bwd(dev, {dy, x_again, factor, dx, dfactor, partial});
                       },
                       "branch_scale");
                 });
  rebuild_with(y, [saved = Saved(x), factor = factor.t] { return scaled(saved.get(), factor); });
  return y;
}

}  // namespace keel
