#include "ops/dropout.h"

#include <fmt/format.h>

#include <cmath>

#include "core/device.h"
#include "core/error.h"
#include "ops/check.h"

namespace keel {

uint32_t kernel::dropout_threshold(float p) {
  return static_cast<uint32_t>(std::llround(static_cast<double>(p) * 0x1p32));
}

Var dropout(const Var& x, const DropoutSite& site) {
  if (site.p == 0) return x;
  if (!(site.p > 0 && site.p < 1)) {
    throw ConfigError(fmt::format("dropout: p is {}, must be at least 0 and below 1", site.p));
  }
  check_contiguous("dropout", "x", x.t);
  Tensor y = like(x.t);
  on_device(y, [&](auto& dev) { kernel::dropout(dev, {x.t, {y, false}, site}); });
  return record("dropout", y, {x}, [site](Node& n) {
    const Tensor dy = n.dy();
    const Grad dx = n.grad_of(0);
    on_device(dy, [&](auto& dev) { kernel::dropout(dev, {dy, dx, site}); });
  });
}

}  // namespace keel
