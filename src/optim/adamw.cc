#include "optim/adamw.h"

#include <algorithm>

namespace keel {

void AdamW::Config::fields(Fields& f) {
  f("lr", lr, "peak learning rate", at_least(0));
  f("betas", betas, "decay rates of the first and second moment", at_least(0).below(1).of(2));
  f("eps", eps, "added to the root of the second moment", at_least(0));
  f("weight_decay", weight_decay, "strength of the decay, on tensors of two or more axes",
    at_least(0));
  f("decay", decay,
    "\"rate\": a step takes rate * weight_decay off a weight; \"independent\": schedule factor * "
    "weight_decay, whatever the peak rate (1e-4 is usual then)",
    one_of({"rate", "independent"}));
}

AdamW::AdamW(const Config& config, const Params& params) : config_(config), params_(params) {
  check_params(params);
  const DeviceKind device = params.empty() ? DeviceKind::kCpu : params[0].weight.device();
  int64_t size = 0;
  for (const Param& p : params) size += p.weight.size();
  m_ = persistent({size}, DType::kF32, device, "the optimizer's first moments");
  v_ = persistent({size}, DType::kF32, device, "the optimizer's second moments");
  updates_ = persistent({1}, DType::kI32, device, "the optimizer's counter");
  int64_t at = 0;
  for (const Param& p : params) {
    const int64_t n = p.weight.size();
    add_parts(p, m_.slice(0, at, at + n).data<float>(), v_.slice(0, at, at + n).data<float>());
    at += n;
  }
}

void AdamW::add_parts(const Param& p, float* m, float* v) {
  if (!p.weight.raw()) return;  // kMeta
  const int64_t size = p.weight.size();
  bf16* copy = p.copy ? p.copy.data<bf16>() : nullptr;
  for (int64_t i = 0; i < size; i += kernel::kAdamWPart) {
    parts_.push_back({p.weight.data<float>() + i, p.grad.data<float>() + i, m + i, v + i,
                      copy ? copy + i : nullptr, std::min(size - i, kernel::kAdamWPart), p.decay});
  }
}

void AdamW::step(const StepState* state) {
  on_device(updates_, [&](auto& dev) {
    kernel::adamw(dev, {parts_, config_.betas[0], config_.betas[1], config_.eps,
                        config_.weight_decay, config_.decay == "independent", state, updates_});
  });
}

std::vector<StateTensor> AdamW::state() const {
  std::vector<StateTensor> out;
  int64_t at = 0;
  for (const Param& p : params_) {
    const int64_t n = p.weight.size();
    out.push_back({"m/" + p.name, m_.slice(0, at, at + n).view(p.weight.shape())});
    out.push_back({"v/" + p.name, v_.slice(0, at, at + n).view(p.weight.shape())});
    at += n;
  }
  out.push_back({"updates", updates_});
  return out;
}

}  // namespace keel
