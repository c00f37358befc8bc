#include "optim/clip_adagc.h"

#include <algorithm>

namespace keel {
namespace {

std::vector<Tensor> gradients_of(const Params& params) {
  std::vector<Tensor> out;
  for (const Param& p : params) out.push_back(p.grad);
  return out;
}

}  // namespace

void AdaGcClip::Config::fields(Fields& f) {
  f("relative", relative, "largest norm of a tensor's gradient, over its average", above(0));
  f("beta", beta, "decay rate of the average", at_least(0).below(1));
  f("warmup", warmup, "steps in which the global norm is clipped and the averages begin",
    between(1, 1 << 20));
  f("norm", norm, "largest global gradient norm in the warm-up; 0: none", at_least(0));
  f("floor", floor, "least average: gradients that were 0 for a while must not stay so", above(0));
}

AdaGcClip::AdaGcClip(const Config& config, const ClipArgs& args)
    : config_(config), norm_(gradients_of(args.params)) {
  const DeviceKind device = args.gradients.device();
  const auto tensors = static_cast<int64_t>(args.params.size());
  const auto each = [&] {
    return persistent({std::max<int64_t>(tensors, 1)}, DType::kF32, device,
                      "averages of gradient norms");
  };
  average_ = each();
  scale_ = each();
  seen_ = persistent({1}, DType::kI32, device, "averages of gradient norms");
  // The parts of the norm, in the same order.
  for (int64_t t = 0; t < tensors; ++t) {
    const Param& p = args.params[static_cast<size_t>(t)];
    if (!p.grad.raw()) continue;  // kMeta
    for (int64_t i = 0; i < p.grad.size(); i += kernel::kGradNormPart) {
      parts_.push_back(
          {p.grad.data<float>() + i, std::min(p.grad.size() - i, kernel::kGradNormPart), t});
    }
  }
}

void AdaGcClip::compute(StepState* state) {
  norm_.compute(0, state);
  on_device(average_, [&](auto& dev) {
    kernel::adagc(dev, {parts_, norm_.partial(), average_, scale_, seen_, config_.relative,
                        config_.beta, config_.floor, config_.norm, config_.warmup, state});
  });
}

std::vector<StateTensor> AdaGcClip::state() const {
  return {{"clip/average", average_}, {"clip/seen", seen_}};
}

}  // namespace keel
