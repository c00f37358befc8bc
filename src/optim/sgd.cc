#include "optim/sgd.h"

namespace keel {
namespace {

kernel::SgdDecay decay_named(const std::string& name) {
  if (name == "rate") return kernel::SgdDecay::kRate;
  if (name == "independent") return kernel::SgdDecay::kIndependent;
  return kernel::SgdDecay::kCoupled;
}

std::vector<std::string> moments_of(const Sgd::Config& config) {
  std::vector<std::string> names;
  if (config.momentum > 0) names.emplace_back("m");
  return names;
}

}  // namespace

void Sgd::Config::fields(Fields& f) {
  f("lr", lr, "peak learning rate", at_least(0));
  f("momentum", momentum, "decay rate of the momentum; 0: none", at_least(0).below(1));
  f("nesterov", nesterov, "Nesterov's update: the gradient and the decayed momentum");
  f("weight_decay", weight_decay, "strength of the decay, on tensors of two or more axes",
    at_least(0));
  f("decay", decay,
    "\"coupled\": weight_decay * weight is added to the gradient; \"rate\": a step takes rate * "
    "weight_decay off a weight; \"independent\": schedule factor * weight_decay",
    one_of({"coupled", "rate", "independent"}));
  update_clip_field(f, update_clip);
}

void Sgd::Config::validate(Errors& errors) const {
  if (nesterov && momentum == 0) {
    errors.add("nesterov", "needs momentum; set optim.momentum, or nesterov = false", {"momentum"});
  }
}

Sgd::Sgd(const Config& config, const Params& params)
    : config_(config), moments_(params, moments_of(config)) {}

void Sgd::step(const StepState* state) {
  on_device(moments_.updates(), [&](auto& dev) {
    kernel::sgd(dev, {moments_.parts(), config_.momentum, config_.nesterov, config_.weight_decay,
                      decay_named(config_.decay), state, moments_.updates(), config_.update_clip,
                      moments_.sums()});
  });
}

}  // namespace keel
