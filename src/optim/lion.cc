#include "optim/lion.h"

namespace keel {

void Lion::Config::fields(Fields& f) {
  f("lr", lr, "peak learning rate", at_least(0));
  f("betas", betas, "share of the momentum in the update, and its decay rate",
    at_least(0).below(1).of(2));
  f("weight_decay", weight_decay, "strength of the decay, on tensors of two or more axes",
    at_least(0));
  decay_field(f, decay);
}

Lion::Lion(const Config& config, const Params& params) : config_(config), moments_(params, {"m"}) {}

void Lion::step(const StepState* state) {
  on_device(moments_.updates(), [&](auto& dev) {
    kernel::lion(dev, {moments_.parts(), config_.betas[0], config_.betas[1], config_.weight_decay,
                       config_.decay == "independent", state, moments_.updates()});
  });
}

}  // namespace keel
