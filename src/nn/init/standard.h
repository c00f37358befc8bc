// normal(0, deviation) for every matrix, whatever its role or depth (OLMo 2, arXiv 2501.00656).
#pragma once

#include "nn/init/init.h"

namespace keel {

class StandardInit final : public Init {
 public:
  struct Config final : keel::Config {
    double deviation = 0.02;
    void fields(Fields& f) override {
      f("deviation", deviation, "standard deviation of every matrix", above(0));
    }
  };
  StandardInit(const Config& config, const InitArgs&) : config_(config) {}
  Start start(Role role, const Shape& shape) const override;

 private:
  Config config_;
};

}  // namespace keel
