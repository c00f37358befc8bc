#include "ops/cast.h"

#include "core/device.h"
#include "ops/check.h"
#include "ops/copy.h"

namespace keel {

Var cast(const Var& x, DType to) {
  if (x.t.dtype() == to) return x;
  check_contiguous("cast", "x", x.t);
  Tensor y = empty(x.shape(), to, x.t.device());
  on_device(y, [&](auto& dev) { kernel::copy(dev, {x.t, {y, false}}); });
  return record("cast", y, {x}, [](Node& n) {
    const Tensor dy = n.dy();
    const Grad dx = n.grad_of(0);
    on_device(dy, [&](auto& dev) { kernel::copy(dev, {dy, dx}); });
  });
}

}  // namespace keel
