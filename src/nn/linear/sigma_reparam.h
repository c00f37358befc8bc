// Sigma-reparametrisation (Zhai et al., arXiv 2303.06296): W^ = gamma / sigma(W) W, each of the
// stacked linears with a gamma (NAME.gamma) and a singular vector u (NAME.u) of its own. u is
// state: it is saved beside the weights, and a training step takes it one power iteration further,
// once, however many micro-batches the step has; evaluation looks one iteration ahead and writes
// nothing. In training sigma therefore lags behind the weights by what one iteration misses.
#pragma once

#include <string>

#include "nn/linear/linear.h"
#include "ops/stacked_rows.h"

namespace keel {

class SigmaReparamLinear final : public LinearWeight, public AfterStart {
 public:
  struct Config final : keel::Config {
    std::string gamma = "sigma";
    void fields(Fields& f) override {
      f("gamma", gamma, "gamma at the start: sigma(W), which leaves W as it is, or 1",
        one_of({"sigma", "one"}));
    }
  };
  SigmaReparamLinear(const Config& config, const LinearArgs& args);
  Var weight(const Pass& pass) const override;
  // u by power iterations until sigma stands still, and gamma.
  void start() override;
  void loaded() override;

 private:
  Config config_;
  DType compute_;
  ParameterRef weight_, gamma_;
  StackedRows rows_;
  Tensor u_;      // [p, in]: u after the last training step, as it is saved
  Tensor begin_;  // u before the training step `begun_`
  Tensor begun_;  // i32 [1], where the weights are: the host does not know what step it is
};

}  // namespace keel
