#include "ops/blend.h"

#include "core/device.h"
#include "ops/check.h"

namespace keel {

Var blend(const Var& x, float a, const Var& z, float b, float c) {
  check_contiguous("blend", "x", x.t);
  if (z) {
    check_same_shape("blend", "x", x.t, "z", z.t);
    check_contiguous("blend", "z", z.t);
  }
  Tensor y = empty(x.shape(), DType::kF32, x.t.device());
  on_device(y, [&](auto& dev) { kernel::blend(dev, {x.t, z.t, y, a, b, c}); });
  return record("blend", y, {x, z}, [a, b](Node& n) {
    const Tensor dy = n.dy();
    const Grad dx = n.grad_of(0), dz = n.grad_of(1);
    on_device(dy, [&](auto& dev) {
      kernel::scaled_copy(dev, {dy, dx, a});
      kernel::scaled_copy(dev, {dy, dz, b});
    });
  });
}

}  // namespace keel
