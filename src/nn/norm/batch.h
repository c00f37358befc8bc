// BatchNorm (Ioffe and Szegedy, arXiv 1502.03167) as a negative control: mean and variance of each
// channel over all tokens of a micro-batch, so that a token's value depends on every other one. In
// training a causal model sees the future through it; in evaluation and generation, where running
// averages stand for the statistics, it does not, and its loss is another one.
#pragma once

#include "nn/norm/gain_bias.h"
#include "ops/batch_norm.h"

namespace keel {

class BatchNorm final : public Norm {
 public:
  struct Config final : NormOptions {
    double eps = 1e-5, momentum = 0.1;
    bool allow_leak = false;
    Config() { bias = true; }
    void fields(Fields& f) override;
    void validate(Errors& errors) const override;
  };
  BatchNorm(const Config& config, const NormArgs& args);
  Var forward(const Var& x, DType out) const override;

 private:
  const Parameters& parameters_;
  BatchNormForm form_;
  GainBias affine_;
  RunningStats running_;  // NAME.running_mean, NAME.running_variance
};

}  // namespace keel
