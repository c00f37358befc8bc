// GPT-2's initialisation: normal(0, deviation) for every matrix, the two projections that write to
// the residual stream divided by sqrt(2 layers) (Radford et al., 2019, section 2.3), unless the
// placement weighs branches by depth itself.
#pragma once

#include "nn/init/init.h"

namespace keel {

class Gpt2Init final : public Init {
 public:
  struct Config final : keel::Config {
    double deviation = 0.02;
    void fields(Fields& f) override {
      f("deviation", deviation, "standard deviation of every matrix", above(0));
    }
  };
  Gpt2Init(const Config& config, const InitArgs& args) : config_(config), args_(args) {}
  Start start(Role role, const Shape& shape) const override;

 private:
  Config config_;
  InitArgs args_;
};

}  // namespace keel
