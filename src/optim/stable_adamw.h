// StableAdamW: AdamW with the update clipping of Adafactor, its rate lowered in each tensor by how
// far the gradient is above its second moment. It takes the place of gradient clipping.
#pragma once

#include "ops/stable_adamw.h"
#include "optim/moments.h"

namespace keel {

class StableAdamW final : public Optimizer {
 public:
  struct Config final : OptimizerOptions {
    double lr = 1e-3;
    std::vector<double> betas = {0.9, 0.99};
    double eps = 1e-6;
    double weight_decay = 0.1;
    std::string decay = "rate";
    void fields(Fields& f) override;
    bool takes_momentum() const override { return true; }
    bool decays_with_rate() const override { return weight_decay > 0 && decay == "rate"; }
  };
  // Throws ShapeError, MemoryError.
  StableAdamW(const Config& config, const Params& params);

  double peak_rate() const override { return config_.lr; }
  void step(const StepState* state) override;
  std::vector<StateTensor> state() const override { return moments_.state(); }

 private:
  Config config_;
  Moments moments_;
};

}  // namespace keel
