// Maximal update parametrisation (Yang et al., arXiv 2203.03466, table 8, for Adam): with m = dim /
// base_dim the hidden matrices start with variance / m and learn at rate / m, tables, head, gains
// and biases do neither, and the logits are divided by m. At m = 1 it is gpt2, number for number.
// All inner widths are taken to grow with dim. Attention's 1 / head_dim is a switch of its own.
#pragma once

#include "nn/init/init.h"

namespace keel {

class MupInit final : public Init {
 public:
  struct Config final : keel::Config {
    int64_t base_dim = 128;
    double deviation = 0.02, output = 1;
    bool zero_head = false;
    void fields(Fields& f) override {
      f("base_dim", base_dim, "model.dim at which the rates and deviations hold as they are",
        at_least(1));
      f("deviation", deviation, "standard deviation of every matrix at base_dim", above(0));
      f("output", output, "multiplies the logits, beside base_dim / dim", above(0));
      f("zero_head", zero_head, "an untied head starts at 0");
    }
  };
  MupInit(const Config& config, const InitArgs& args) : config_(config), args_(args) {}
  Start start(Role role, const Shape& shape) const override;
  double rate_factor(Role role, const Shape& shape) const override;
  double output_multiplier() const override { return config_.output / width(); }

 private:
  double width() const { return double(args_.dim) / double(config_.base_dim); }

  Config config_;
  InitArgs args_;
};

}  // namespace keel
