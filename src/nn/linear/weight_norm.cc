#include "nn/linear/weight_norm.h"

#include "ops/weight_norm.h"

namespace keel {

WeightNormLinear::WeightNormLinear(const Config&, const LinearArgs& a)
    : v_(add_weights(a)), compute_(a.parameters.compute()) {
  std::vector<Parameters::Part> gains;
  for (const LinearPart& p : a.parts) {
    gains.push_back({p.name + ".weight_gain", {p.out}, Role::kGain});
  }
  gain_ = a.parameters.add_stack(gains);
  a.parameters.after_start(*this);
}

Var WeightNormLinear::weight(const Pass&) const {
  return weight_norm(v_.master(), gain_.var(), compute_);
}

void WeightNormLinear::start() {
  const Tensor v = v_.master().t;
  on_device(v, [&](auto& dev) { kernel::row_norms(dev, {v, gain_.var().t}); });
}

}  // namespace keel
