#include "ops/join.h"

#include <fmt/format.h>

#include <array>

#include "core/device.h"
#include "core/error.h"
#include "ops/copy.h"

namespace keel {

Var join(const JoinPart& a, const JoinPart& b, const JoinPart& c, DeviceKind device) {
  const std::array<const JoinPart*, 3> parts{&a, &b, &c};
  for (const JoinPart* p : parts) {
    if (!p->v || (p->v.shape().axes() == 1 && p->v.t.dim(0) == p->size)) continue;
    throw ShapeError(fmt::format("join: a part is {}, must be [{}]", p->v.shape().str(), p->size));
  }
  Tensor y = empty({a.size + b.size + c.size}, DType::kF32, device);
  int64_t at = 0;
  for (const JoinPart* p : parts) {
    const Tensor to = y.slice(0, at, at + p->size);
    on_device(y, [&](auto& dev) {
      if (p->v) {
        kernel::copy(dev, {p->v.t, {to}});
      } else {
        kernel::fill(dev, {to, 0.0f});
      }
    });
    at += p->size;
  }
  return record("join", y, {a.v, b.v, c.v}, [sizes = std::array{a.size, b.size, c.size}](Node& n) {
    const Tensor dy = n.dy();
    int64_t begin = 0;
    for (int i = 0; i < 3; ++i) {
      const int64_t end = begin + sizes[static_cast<size_t>(i)];
      const Grad to = n.grad_of(i);
      const Tensor from = dy.slice(0, begin, end);
      on_device(
          dy,
          [&](auto& dev) {
            kernel::copy(dev, {from, to});
          },
          "join");
      begin = end;
    }
  });
}

}  // namespace keel
