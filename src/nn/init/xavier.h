// Xavier (Glorot and Bengio, AISTATS 2010): a linear of fan-in i and fan-out o starts uniform in
// +-sqrt(6 / (i + o)), or normal of the same variance 2 / (i + o). q, k and v (gate and up) count
// each by itself. Tables of tokens and positions are looked up, not multiplied, and have no fan-in:
// they start normal(0, tables).
#pragma once

#include <string>

#include "nn/init/init.h"

namespace keel {

class XavierInit final : public Init {
 public:
  struct Config final : keel::Config {
    std::string distribution = "uniform";
    double tables = 0.02;
    void fields(Fields& f) override {
      f("distribution", distribution, "of the linears", one_of({"uniform", "normal"}));
      f("tables", tables, "standard deviation of token and position tables", above(0));
    }
  };
  XavierInit(const Config& config, const InitArgs&) : config_(config) {}
  Start start(Role role, const Shape& shape) const override;

 private:
  Config config_;
};

}  // namespace keel
