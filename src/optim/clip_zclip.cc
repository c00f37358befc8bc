#include "optim/clip_zclip.h"

namespace keel {
namespace {

kernel::ZClipMode mode_named(const std::string& name) {
  if (name == "mean") return kernel::ZClipMode::kMean;
  if (name == "percentile") return kernel::ZClipMode::kPercentile;
  return kernel::ZClipMode::kAdaptive;
}

}  // namespace

void ZClip::Config::fields(Fields& f) {
  f("threshold", threshold, "z-score above which a norm is an outlier", above(0));
  f("alpha", alpha, "decay rate of the norm's mean and variance", at_least(0).below(1));
  f("warmup", warmup, "steps whose norms make the first mean and variance", between(1, 1 << 20));
  f("mode", mode,
    "an outlier is cut down to: \"adaptive\": mean + threshold^2 / z deviations; \"mean\"; "
    "\"percentile\": mean + threshold deviations",
    one_of({"adaptive", "mean", "percentile"}));
  f("factor", factor, "what the adaptive bound is multiplied by", above(0).at_most(1));
  f("norm", norm, "largest global gradient norm, whatever its z-score; 0: none", at_least(0));
}

ZClip::ZClip(const Config& config, const ClipArgs& args)
    : config_(config), norm_(std::vector<Tensor>{args.gradients}) {
  const auto one = [&](DType type) {
    return persistent({1}, type, args.gradients.device(), "averages of the gradient norm");
  };
  mean_ = one(DType::kF32);
  variance_ = one(DType::kF32);
  seen_ = one(DType::kI32);
}

void ZClip::compute(StepState* state) {
  norm_.compute(0, state);
  on_device(mean_, [&](auto& dev) {
    kernel::zclip(dev, {mean_, variance_, seen_, config_.alpha, config_.threshold, config_.factor,
                        config_.norm, config_.warmup, mode_named(config_.mode), state});
  });
}

std::vector<StateTensor> ZClip::state() const {
  return {{"clip/mean", mean_}, {"clip/variance", variance_}, {"clip/seen", seen_}};
}

}  // namespace keel
