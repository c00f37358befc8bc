#include "ops/activation.h"

#include "core/device.h"
#include "ops/check.h"

namespace keel {
namespace {

Tensor value(const Tensor& x, Activation kind) {
  Tensor y = like(x);
  on_device(x, [&](auto& dev) { kernel::activation_fwd(dev, {x, y, kind}); });
  return y;
}

}  // namespace

Var activation(const Var& x, Activation kind) {
  check_contiguous("activation", "x", x.t);
  Var y = record("activation", value(x.t, kind), {x}, [saved = Saved(x), kind](Node& n) {
    const Tensor x_again = saved.get();
    const Grad dx = n.grad_of(0);
    on_device(x_again, [&](auto& dev) {
      kernel::activation_bwd(dev, {n.dy(), x_again, dx, kind});
    });
  });
  rebuild_with(y, [saved = Saved(x), kind] { return value(saved.get(), kind); });
  return y;
}

}  // namespace keel
