#include "ops/output_gate.h"

#include <fmt/format.h>

#include "core/device.h"
#include "core/error.h"
#include "ops/check.h"

namespace keel {
namespace {

Tensor value(const Tensor& x, const Tensor& gate) {
  Tensor y = empty({x.dim(0), x.dim(1), x.dim(2) * x.dim(3)}, x.dtype(), x.device());
  on_device(x, [&](auto& dev) { kernel::output_gate_fwd(dev, {x, gate, y}); });
  return y;
}

void check(const Tensor& x, const Tensor& gate) {
  check_axes("output_gate", "x", x, 4);
  check_contiguous("output_gate", "x", x);
  check_contiguous("output_gate", "gate", gate);
  const Shape by_head{x.dim(0), x.dim(1), x.dim(2)}, whole{x.dim(0), x.dim(1), x.dim(2) * x.dim(3)};
  if (gate.dtype() == x.dtype() && (gate.shape() == by_head || gate.shape() == whole)) return;
  throw ShapeError(fmt::format("output_gate: gate is {} {}, x {} {}; must be {} or {}",
                               name_of(gate.dtype()), gate.shape().str(), name_of(x.dtype()),
                               x.shape().str(), by_head.str(), whole.str()));
}

}  // namespace

Var output_gate(const Var& x, const Var& gate) {
  check(x.t, gate.t);
  const Saved sx(x), sgate(gate);
  Var y = record("output_gate", value(x.t, gate.t), {x, gate}, [sx, sgate](Node& n) {
    const Tensor x_again = sx.get(), gate_again = sgate.get();
    const Grad dx = n.grad_of(0), dgate = n.grad_of(1);
    on_device(x_again, [&](auto& dev) {
      kernel::output_gate_bwd(dev, {n.dy(), x_again, gate_again, dx, dgate});
    });
  });
  rebuild_with(y, [sx, sgate] { return value(sx.get(), sgate.get()); });
  return y;
}

}  // namespace keel
