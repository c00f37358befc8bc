#include "ops/gated.h"

#include <fmt/format.h>

#include "core/device.h"
#include "core/error.h"
#include "ops/check.h"

namespace keel {
namespace {

Shape halved(const Shape& s) {
  const int64_t h = s.dim(-1) / 2;
  switch (s.axes()) {
    case 1:
      return {h};
    case 2:
      return {s[0], h};
    case 3:
      return {s[0], s[1], h};
    default:
      return {s[0], s[1], s[2], h};
  }
}

Tensor value(const Tensor& gate_up, Activation kind) {
  Tensor y = empty(halved(gate_up.shape()), gate_up.dtype(), gate_up.device());
  on_device(gate_up, [&](auto& dev) { kernel::gated_fwd(dev, {gate_up, y, kind}); });
  return y;
}

}  // namespace

Var gated(const Var& gate_up, Activation kind) {
  check_contiguous("gated", "gate_up", gate_up.t);
  if (gate_up.t.dim(-1) % 2 != 0) {
    throw ShapeError(
        fmt::format("gated: gate_up is {}, the last axis must be even", gate_up.shape().str()));
  }
  Var y =
      record("gated", value(gate_up.t, kind), {gate_up}, [saved = Saved(gate_up), kind](Node& n) {
        const Tensor again = saved.get();
        const Grad dx = n.grad_of(0);
        on_device(again, [&](auto& dev) { kernel::gated_bwd(dev, {n.dy(), again, dx, kind}); });
      });
  rebuild_with(y, [saved = Saved(gate_up), kind] { return value(saved.get(), kind); });
  return y;
}

}  // namespace keel
