// Stochastic gradient descent with momentum; the numbers are PyTorch's.
#pragma once

#include "ops/sgd.h"
#include "optim/moments.h"

namespace keel {

class Sgd final : public Optimizer {
 public:
  struct Config final : OptimizerOptions {
    double lr = 0.1;
    double momentum = 0.9;
    bool nesterov = false;
    double weight_decay = 0;
    std::string decay = "coupled";
    double update_clip = 0;
    void fields(Fields& f) override;
    bool takes_momentum() const override { return momentum > 0; }
    bool decays_with_rate() const override { return weight_decay > 0 && decay != "independent"; }
    std::optional<UnlikeAdam> unlike_adam() const override {
      return UnlikeAdam{"kind", "sgd's are as large as the gradients", "choose \"adamw\""};
    }
    void validate(Errors& errors) const override;
  };
  // Throws ShapeError, MemoryError.
  Sgd(const Config& config, const Params& params);

  double peak_rate() const override { return config_.lr; }
  void step(const StepState* state) override;
  std::vector<StateTensor> state() const override { return moments_.state(); }

 private:
  Config config_;
  Moments moments_;
};

}  // namespace keel
