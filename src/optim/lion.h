// The Lion optimizer: every element moves by the rate, whatever its gradient's size. Usual rates
// are 3 to 10 times below AdamW's, decays as much above; it prefers large batches.
#pragma once

#include "ops/lion.h"
#include "optim/moments.h"

namespace keel {

class Lion final : public Optimizer {
 public:
  struct Config final : OptimizerOptions {
    double lr = 1e-4;
    std::vector<double> betas = {0.9, 0.99};
    double weight_decay = 1;
    std::string decay = "rate";
    void fields(Fields& f) override;
    bool decays_with_rate() const override { return weight_decay > 0 && decay == "rate"; }
  };
  // Throws ShapeError, MemoryError.
  Lion(const Config& config, const Params& params);

  double peak_rate() const override { return config_.lr; }
  void step(const StepState* state) override;
  std::vector<StateTensor> state() const override { return moments_.state(); }

 private:
  Config config_;
  Moments moments_;
};

}  // namespace keel
