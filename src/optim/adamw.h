// The AdamW optimizer. Bias correction counts the updates really made: a skipped step leaves no
// trace.
#pragma once

#include "ops/adamw.h"
#include "optim/moments.h"
#include "optim/optimizer.h"

namespace keel {

class AdamW final : public Optimizer {
 public:
  struct Config final : OptimizerOptions {
    double lr = 1e-3;
    std::vector<double> betas = {0.9, 0.95};
    double eps = 1e-8;
    double weight_decay = 0.1;
    std::string decay = "rate";
    double update_clip = 0;
    void fields(Fields& f) override;
    bool takes_momentum() const override { return true; }
    bool decays_with_rate() const override { return weight_decay > 0 && decay == "rate"; }
  };

  // Moments are zeroed memory of 8 bytes a parameter. Throws ShapeError, MemoryError.
  AdamW(const Config& config, const Params& params);

  double peak_rate() const override { return config_.lr; }
  void step(const StepState* state) override;
  std::vector<StateTensor> state() const override { return moments_.state(); }

 private:
  Config config_;
  Moments moments_;
};

}  // namespace keel
