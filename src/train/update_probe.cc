#include "train/update_probe.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "ops/copy.h"
#include "ops/square_sums.h"

namespace keel {
namespace {

double ratio(double change, double weights) {
  if (change == 0) return 0;
  return weights > 0 ? std::sqrt(change / weights) : std::numeric_limits<double>::infinity();
}

}  // namespace

UpdateProbe::UpdateProbe(const Params& params, int64_t layers) {
  for (int64_t layer = 0; layer < layers; ++layer) {
    const std::string block = fmt::format("blocks.{}.", layer);
    for (const Param& p : params) {
      if (p.group != Group::kMatrix || !p.name.starts_with(block)) continue;
      const int64_t size = p.weight.size();
      matrices_.push_back({p.weight.view({size}), static_cast<size_t>(layer), elements_});
      elements_ += size;
      device_ = p.weight.device();
    }
  }
}

Tensor UpdateProbe::copy() const {
  Tensor out = empty({elements_}, DType::kF32, device_);
  for (const Matrix& m : matrices_) {
    const Tensor to = out.slice(0, m.at, m.at + m.weight.size());
    on_device(to, [&](auto& dev) { kernel::copy(dev, {m.weight, {to}}); });
  }
  return out;
}

void UpdateProbe::compare(const Tensor& before, Probes& probes) const {
  double all_weights = 0, all_change = 0;
  for (size_t i = 0; i < matrices_.size();) {
    const size_t layer = matrices_[i].layer;
    double weights = 0, change = 0;
    for (; i < matrices_.size() && matrices_[i].layer == layer; ++i) {
      const Matrix& m = matrices_[i];
      const Tensor was = before.slice(0, m.at, m.at + m.weight.size());
      double before_sum = 0, change_sum = 0;
      on_device(was, [&](auto& dev) {
        kernel::change_sums(dev, {was, m.weight, &before_sum, &change_sum});
      });
      weights += before_sum;
      change += change_sum;
    }
    probes.update_ratio[layer] = ratio(change, weights);
    all_weights += weights;
    all_change += change;
  }
  probes.update_ratio_of_all = ratio(all_change, all_weights);
}

}  // namespace keel
