#include "ops/add.h"

#include "core/device.h"
#include "ops/check.h"
#include "ops/copy.h"

namespace keel {

Var add(const Var& a, const Var& b) {
  check_same_shape("add", "a", a.t, "b", b.t);
  check_contiguous("add", "a", a.t);
  check_contiguous("add", "b", b.t);
  Tensor y = empty(a.shape(), DType::kF32, a.t.device());
  on_device(y, [&](auto& dev) { kernel::add(dev, {a.t, b.t, y}); });
  return record("add", y, {a, b}, [](Node& n) {
    const Tensor dy = n.dy();
    const Grad da = n.grad_of(0), db = n.grad_of(1);
    on_device(dy, [&](auto& dev) {
      kernel::copy(dev, {dy, da});
      kernel::copy(dev, {dy, db});
    });
  });
}

}  // namespace keel
