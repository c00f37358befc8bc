#include "optim/adamw.h"

namespace keel {

void AdamW::Config::fields(Fields& f) {
  f("lr", lr, "peak learning rate", at_least(0));
  f("betas", betas, "decay rates of the first and second moment", at_least(0).below(1).of(2));
  f("eps", eps, "added to the root of the second moment", at_least(0));
  f("weight_decay", weight_decay, "strength of the decay, on tensors of two or more axes",
    at_least(0));
  decay_field(f, decay);
  update_clip_field(f, update_clip);
}

AdamW::AdamW(const Config& config, const Params& params)
    : config_(config), moments_(params, {"m", "v"}) {}

void AdamW::step(const StepState* state) {
  on_device(moments_.updates(), [&](auto& dev) {
    kernel::adamw(dev, {moments_.parts(), config_.betas[0], config_.betas[1], config_.eps,
                        config_.weight_decay, config_.decay == "independent", state,
                        moments_.updates(), config_.update_clip, moments_.sums()});
  });
}

}  // namespace keel
