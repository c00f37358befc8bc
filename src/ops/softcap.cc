#include "ops/softcap.h"

#include <fmt/format.h>

#include "core/device.h"
#include "core/error.h"
#include "ops/check.h"

namespace keel {

Var softcap(const Var& x, float scale, float cap) {
  check_contiguous("softcap", "x", x.t);
  if (x.t.dtype() != DType::kF32) {
    throw ShapeError(fmt::format("softcap: x is {}, must be f32", name_of(x.t.dtype())));
  }
  Tensor y = like(x.t);
  on_device(y, [&](auto& dev) { kernel::softcap_fwd(dev, {x.t, y, scale, cap}); });
  return record("softcap", y, {x}, [y, scale, cap](Node& n) {
    const Tensor dy = n.dy();
    const Grad dx = n.grad_of(0);
    on_device(dy, [&](auto& dev) { kernel::softcap_bwd(dev, {dy, y, dx, scale, cap}); });
  });
}

}  // namespace keel
