// Muon (Jordan et al., 2024; Liu et al., arXiv 2502.16982): the momentum of each hidden matrix,
// made nearly orthogonal, is its update; embeddings, head and vectors are left to AdamW. q, k and v
// are matrices of their own. Update times sqrt(max(1, rows / columns)) (scale = "original", rates
// near 0.02) or times 0.2 sqrt(max(rows, columns)) ("match_rms": AdamW's rates and decay fit).
#pragma once

#include "optim/adamw.h"

namespace keel {

class Muon final : public Optimizer {
 public:
  struct Config final : OptimizerOptions {
    double lr = 0.02;
    double momentum = 0.95;
    bool nesterov = true;
    int64_t iterations = 5;
    std::string scale = "original";
    double weight_decay = 0;
    std::string decay = "rate";
    AdamW::Config adamw;
    Config();
    void fields(Fields& f) override;
    bool decays_with_rate() const override { return weight_decay > 0 && decay == "rate"; }
    std::optional<UnlikeAdam> unlike_adam() const override {
      if (scale == "match_rms") return std::nullopt;
      return UnlikeAdam{"scale", "\"original\" fits updates to the width itself",
                        "set \"match_rms\""};
    }
  };
  // Throws ShapeError, MemoryError.
  Muon(const Config& config, const Params& params);

  double peak_rate() const override { return config_.lr; }
  void step(const StepState* state) override;
  std::vector<StateTensor> state() const override;
  int64_t working_bytes() const override;

 private:
  void update(const Param& p, const Tensor& momentum, const StepState* state);

  Config config_;
  Params matrices_;
  AdamW rest_;
  Tensor momentum_;
  std::vector<Tensor> momenta_;  // of each matrix
  Tensor x_, next_, gram_, poly_, partial_;
};

}  // namespace keel
