#include "ops/distance_bias.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/device.h"
#include "core/device_memory.h"
#include "core/error.h"
#include "ops/attention.h"
#include "ops/check.h"

namespace keel {

std::vector<double> alibi_slopes(int64_t heads) {
  int64_t power = 1;
  while (2 * power <= heads) power *= 2;
  const auto slope = [](int64_t h, int64_t of) {
    return std::exp2(-8.0 * static_cast<double>(h) / static_cast<double>(of));
  };
  std::vector<double> m;
  for (int64_t h = 1; h <= power; ++h) m.push_back(slope(h, power));
  for (int64_t h = 1; power + (h + 1) / 2 <= heads; h += 2) m.push_back(slope(h, 2 * power));
  return m;
}

Tensor alibi_bias(int64_t heads, int64_t n, DeviceKind device) {
  const int64_t row = n + 2 * kDistancePad;
  const Shape shape{heads, row};
  if (device == DeviceKind::kMeta) return persistent(shape, DType::kF32, device, "alibi");
  const std::vector<double> slopes = alibi_slopes(heads);
  std::vector<float> bias(static_cast<size_t>(shape.size()), 0.0f);
  for (int64_t h = 0; h < heads; ++h) {
    for (int64_t d = 0; d < n; ++d) {
      bias[static_cast<size_t>(h * row + kDistancePad + d)] =
          static_cast<float>(-slopes[static_cast<size_t>(h)] * static_cast<double>(d));
    }
  }
  return copy_to(from_host(shape, bias), device);
}

int64_t t5_bucket(int64_t distance, int64_t buckets, int64_t max_distance) {
  const int64_t exact = buckets / 2;
  if (distance < exact) return distance;
  const double steps = std::log(static_cast<double>(distance) / static_cast<double>(exact)) /
                       std::log(static_cast<double>(max_distance) / static_cast<double>(exact)) *
                       static_cast<double>(buckets - exact);
  return std::min(buckets - 1, exact + static_cast<int64_t>(steps));
}

Tensor t5_buckets(int64_t n, int64_t buckets, int64_t max_distance, DeviceKind device) {
  if (device == DeviceKind::kMeta) return persistent({n}, DType::kI32, device, "buckets");
  std::vector<int32_t> of;
  for (int64_t d = 0; d < n; ++d) {
    of.push_back(static_cast<int32_t>(t5_bucket(d, buckets, max_distance)));
  }
  return copy_to(from_host({n}, of), device);
}

Var bucket_bias(const Var& table, const Tensor& buckets) {
  check_axes("bucket_bias", "table", table.t, 2);
  check_contiguous("bucket_bias", "table", table.t);
  if (buckets.dtype() != DType::kI32 || buckets.shape().axes() != 1) {
    throw ShapeError(fmt::format("bucket_bias: buckets is {} {}, must be i32 with 1 axis",
                                 name_of(buckets.dtype()), buckets.shape().str()));
  }
  Tensor y =
      empty({table.t.dim(0), buckets.dim(0) + 2 * kDistancePad}, DType::kF32, table.t.device());
  on_device(y, [&](auto& dev) { kernel::bucket_bias_fwd(dev, {table.t, buckets, y}); });
  return record("bucket_bias", y, {table}, [buckets](Node& n) {
    const Tensor dy = n.dy();
    const Grad dtable = n.grad_of(0);
    on_device(dy, [&](auto& dev) { kernel::bucket_bias_bwd(dev, {dy, buckets, dtable}); });
  });
}

}  // namespace keel
