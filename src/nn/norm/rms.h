// RMSNorm: y = x / sqrt(mean(x^2) + eps) * gain (Zhang and Sennrich, arXiv 1910.07467).
#pragma once

#include "nn/norm/norm.h"

namespace keel {

class RmsNorm final : public Norm {
 public:
  struct Config final : keel::Config {
    double eps = 1e-5;
    void fields(Fields& f) override { f("eps", eps, "added to the mean square", at_least(0)); }
  };
  RmsNorm(const Config& config, const NormArgs& args);
  Var forward(const Var& x, DType out) const override;
  AddNorm add_forward(const Var& x, const Var& branch, DType out) const override;

 private:
  float eps_;
  ParameterRef gain_;
};

}  // namespace keel
