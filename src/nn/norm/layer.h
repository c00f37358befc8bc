// LayerNorm: y = (x - mean) / sqrt(var + eps) * gain (+ bias) (Ba et al., arXiv 1607.06450).
#pragma once

#include "nn/norm/norm.h"

namespace keel {

class LayerNorm final : public Norm {
 public:
  struct Config final : keel::Config {
    double eps = 1e-5;
    bool bias = true;
    void fields(Fields& f) override {
      f("eps", eps, "added to the variance", at_least(0));
      f("bias", bias, "whether a bias is added after the gain");
    }
  };
  LayerNorm(const Config& config, const NormArgs& args);
  Var forward(const Var& x, DType out) const override;
  AddNorm add_forward(const Var& x, const Var& branch, DType out) const override;

 private:
  float eps_;
  ParameterRef gain_, bias_;
};

}  // namespace keel
