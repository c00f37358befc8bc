// LayerScale: the branch times a trained vector, one value for each channel (Touvron et al., arXiv
// 2103.17239, section 2, which starts it the smaller the deeper the model; here init says where).
#pragma once

#include "nn/residual/residual.h"
#include "ops/branch_scale.h"

namespace keel {

class LayerScale final : public Residual {
 public:
  struct Config final : ResidualOptions {
    double init = 0.1;
    void fields(Fields& f) override { f("init", init, "where every factor starts", at_least(0)); }
    double start() const override { return init; }
  };
  LayerScale(const Config& config, const ResidualArgs& a)
      : factor_(a.parameters.add(a.name + ".factor", {a.dim}, Role::kGain, config.init)) {}
  Var forward(const Var& branch_btd) const override {
    return branch_scale(branch_btd, factor_.var());
  }

 private:
  ParameterRef factor_;
};

}  // namespace keel
