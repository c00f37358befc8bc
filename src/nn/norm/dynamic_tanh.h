// Dynamic Tanh: y = gain * tanh(alpha x) + bias, alpha one trained number for each place, instead
// of a norm (Zhu et al., arXiv 2503.10622). It takes no statistics, so it does not undo the scale
// of its input.
#pragma once

#include "nn/norm/gain_bias.h"

namespace keel {

class DynamicTanh final : public Norm {
 public:
  struct Config final : NormOptions {
    double alpha = 0.5;
    Config() { bias = true; }
    void fields(Fields& f) override {
      f("alpha", alpha, "where alpha starts", above(0));
      gain_fields(f);
    }
  };
  DynamicTanh(const Config& config, const NormArgs& args);
  Var forward(const Var& x, DType out) const override;
  AddNorm add_forward(const Var& x, const Var& branch, DType out) const override;

 private:
  ParameterRef alpha_;
  GainBias affine_;
};

}  // namespace keel
