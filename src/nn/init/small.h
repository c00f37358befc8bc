// Small init: normal(0, sqrt(2 / (5 dim))) for every matrix (Nguyen and Salazar, arXiv 1910.05895),
// the projections that write to the residual stream divided by sqrt(2 layers).
#pragma once

#include "nn/init/init.h"

namespace keel {

class SmallInit final : public Init {
 public:
  struct Config final : keel::Config {
    bool depth_scaled = true;
    void fields(Fields& f) override {
      f("depth_scaled", depth_scaled,
        "outputs to the residual stream are divided by sqrt(2 layers)");
    }
  };
  SmallInit(const Config& config, const InitArgs& args) : config_(config), args_(args) {}
  Start start(Role role, const Shape& shape) const override;

 private:
  Config config_;
  InitArgs args_;
};

}  // namespace keel
