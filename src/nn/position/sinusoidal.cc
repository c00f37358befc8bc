#include "nn/position/sinusoidal.h"

#include <cmath>

#include "core/device_memory.h"

namespace keel {

std::vector<float> sinusoids(int64_t positions, int64_t dim, bool concatenated) {
  std::vector<float> out(static_cast<size_t>(positions * dim), 0.0f);
  const int64_t pairs = dim / 2;
  for (int64_t p = 0; p < positions; ++p) {
    float* row = out.data() + p * dim;
    for (int64_t i = 0; i < (concatenated ? pairs : (dim + 1) / 2); ++i) {
      const double power = concatenated ? static_cast<double>(i) / std::max(1.0, double(pairs) - 1)
                                        : 2.0 * static_cast<double>(i) / static_cast<double>(dim);
      const double angle = static_cast<double>(p) * std::pow(10000.0, -power);
      const int64_t sine = concatenated ? i : 2 * i, cosine = concatenated ? pairs + i : 2 * i + 1;
      row[sine] = static_cast<float>(std::sin(angle));
      if (cosine < dim) row[cosine] = static_cast<float>(std::cos(angle));
    }
  }
  return out;
}

SinusoidalPosition::SinusoidalPosition(const Config& config, const PositionArgs& args)
    : scale_(config.scale_embedding ? std::sqrt(static_cast<double>(args.dim)) : 1.0) {
  const Shape shape{args.context, args.dim};
  const DeviceKind device = args.parameters.device();
  if (device == DeviceKind::kMeta) {
    table_ = persistent(shape, DType::kF32, device, "the positions");
    return;
  }
  const bool concatenated = config.layout == "concatenated";
  table_ = copy_to(from_host(shape, sinusoids(args.context, args.dim, concatenated)), device);
}

}  // namespace keel
