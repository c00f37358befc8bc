#include "ops/grad_norm.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"

namespace keel {

GradNorm::GradNorm(std::span<const Tensor> grads) : grads_(grads.begin(), grads.end()) {
  int64_t parts = 0;  // on kMeta as well
  for (const Tensor& g : grads) {
    if (g.dtype() != DType::kF32 || !g.contiguous() || g.device() != grads[0].device()) {
      throw ShapeError(
          fmt::format("grad_norm: {} {} must be contiguous f32 on the device of the first gradient",
                      name_of(g.dtype()), g.shape().str()));
    }
    parts += (g.size() + kernel::kGradNormPart - 1) / kernel::kGradNormPart;
    if (!g.raw()) continue;
    for (int64_t i = 0; i < g.size(); i += kernel::kGradNormPart) {
      parts_.push_back({g.data<float>() + i, std::min(g.size() - i, kernel::kGradNormPart)});
    }
  }
  const DeviceKind device = grads.empty() ? DeviceKind::kCpu : grads[0].device();
  partial_ = persistent({2 * std::max<int64_t>(1, parts)}, DType::kF32, device,
                        "partial sums of the gradient norm");
}

void GradNorm::compute(float clip, StepState* state) const {
  on_device(partial_, [&](auto& dev) { kernel::grad_norm(dev, {parts_, partial_, clip, state}); });
}

}  // namespace keel
