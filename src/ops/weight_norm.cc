#include "ops/weight_norm.h"

#include <fmt/format.h>

#include "core/error.h"
#include "ops/check.h"

namespace keel {

Var weight_norm(const Var& v, const Var& gain, DType out_type) {
  check_axes("weight_norm", "v", v.t, 2);
  check_contiguous("weight_norm", "v", v.t);
  if (v.t.dtype() != DType::kF32) {
    throw ShapeError(fmt::format("weight_norm: v is {}, must be f32", name_of(v.t.dtype())));
  }
  if (gain.t.size() != v.t.dim(0)) {
    throw ShapeError(
        fmt::format("weight_norm: {} gains for v of {}", gain.t.size(), v.shape().str()));
  }
  Tensor norm = empty({v.t.dim(0)}, DType::kF32, v.t.device());
  Tensor y = empty(v.shape(), out_type, v.t.device());
  count_flops(3 * v.t.size());
  on_device(v.t, [&](auto& dev) { kernel::weight_norm_fwd(dev, {v.t, gain.t, norm, y}); });
  Var out = record("weight_norm", y, {v, gain}, [v = v.t, gain = gain.t, norm](Node& n) {
    const Tensor dy = n.dy();
    const Grad dv = n.grad_of(0), dgain = n.grad_of(1);
    count_flops(6 * v.size());
    on_device(dy, [&](auto& dev) { kernel::weight_norm_bwd(dev, {dy, v, gain, norm, dv, dgain}); });
  });
  if (out.slot) out.slot->wide = true;
  return out;
}

}  // namespace keel
