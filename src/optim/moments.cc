#include "optim/moments.h"

#include <algorithm>

namespace keel {

Moments::Moments(const Params& params, std::vector<std::string> names)
    : params_(params), names_(std::move(names)) {
  check_params(params);
  const DeviceKind device = params.empty() ? DeviceKind::kCpu : params[0].weight.device();
  int64_t size = 0, parts = 0;
  for (const Param& p : params) {
    size += p.weight.size();
    parts += (p.weight.size() + kernel::kUpdatePart - 1) / kernel::kUpdatePart;
  }
  for (const std::string& name : names_) {
    moments_.push_back(persistent(
        {size}, DType::kF32, device,
        name == "m" ? "the optimizer's first moments" : "the optimizer's second moments"));
  }
  updates_ = persistent({1}, DType::kI32, device, "the optimizer's counter");
  partial_ = persistent({2 * std::max<int64_t>(parts, 1)}, DType::kF32, device,
                        "partial sums of the optimizer");
  scale_ = persistent({std::max<int64_t>(static_cast<int64_t>(params.size()), 1)}, DType::kF32,
                      device, "scales of the optimizer");
  int64_t at = 0;
  for (const Param& p : params) {
    first_.push_back(static_cast<int64_t>(parts_.size()));
    cut(p, at);
    at += p.weight.size();
  }
  first_.push_back(static_cast<int64_t>(parts_.size()));
}

void Moments::cut(const Param& p, int64_t at) {
  if (!p.weight.raw()) return;  // kMeta
  const int64_t size = p.weight.size();
  const auto moment = [&](size_t k, int64_t i) {
    return k < moments_.size() ? moments_[k].data<float>() + at + i : nullptr;
  };
  bf16* copy = p.copy ? p.copy.data<bf16>() : nullptr;
  for (int64_t i = 0; i < size; i += kernel::kUpdatePart) {
    parts_.push_back({p.weight.data<float>() + i, p.grad.data<float>() + i, moment(0, i),
                      moment(1, i), copy ? copy + i : nullptr,
                      std::min(size - i, kernel::kUpdatePart), static_cast<float>(p.decay),
                      static_cast<float>(p.rate)});
  }
}

std::vector<StateTensor> Moments::state() const {
  std::vector<StateTensor> out;
  int64_t at = 0;
  for (const Param& p : params_) {
    const int64_t n = p.weight.size();
    for (size_t k = 0; k < names_.size(); ++k) {
      out.push_back(
          {names_[k] + "/" + p.name, moments_[k].slice(0, at, at + n).view(p.weight.shape())});
    }
    at += n;
  }
  out.push_back({"updates", updates_});
  return out;
}

}  // namespace keel
