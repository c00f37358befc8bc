#include "ops/add_vector.h"

#include <fmt/format.h>

#include "core/device.h"
#include "core/error.h"
#include "ops/check.h"
#include "ops/copy.h"
#include "ops/linear.h"

namespace keel {
namespace {

Tensor value(const Tensor& x, const Tensor& v) {
  Tensor y = empty(x.shape(), x.dtype(), x.device());
  on_device(x, [&](auto& dev) { kernel::add_vector(dev, {x, v, y}); });
  return y;
}

}  // namespace

Var add_vector(const Var& x, const Var& v) {
  check_axes("add_vector", "x", x.t, 4);
  if (v.shape() != Shape{x.t.dim(2), x.t.dim(3)} || !v.t.contiguous()) {
    throw ShapeError(fmt::format("add_vector: v is {}, x {}; must be [{}, {}]", v.shape().str(),
                                 x.shape().str(), x.t.dim(2), x.t.dim(3)));
  }
  Var y = record("add_vector", value(x.t, v.t), {x, v}, [](Node& n) {
    const Tensor dy = n.dy();
    const Grad dx = n.grad_of(0), dv = n.grad_of(1);
    const int64_t rows = dy.dim(0) * dy.dim(1), c = dy.dim(2) * dy.dim(3);
    Tensor partial;
    if (dv) {
      const int64_t chunks = (rows + kernel::kSumRows - 1) / kernel::kSumRows;
      partial = empty({chunks, c}, DType::kF32, dy.device());
    }
    on_device(dy, [&](auto& dev) {
      if (dx) kernel::copy(dev, {dy, dx});
      if (dv) {
        kernel::column_sum(dev, {dy.view({rows, c}), {dv.t.view({c}), dv.add}, partial});
      }
    });
  });
  rebuild_with(y, [sx = Saved(x), v = v.t] { return value(sx.get(), v); });
  return y;
}

}  // namespace keel
