// ReZero: the branch times one trained number that starts at 0 (Bachlechner et al., arXiv
// 2003.04887, whose block has no norms: placement "unnormed"). SkipInit is the same beside norms,
// and may start elsewhere (De and Smith, arXiv 2002.10444).
#pragma once

#include "nn/residual/residual.h"
#include "ops/branch_scale.h"

namespace keel {

class ReZero final : public Residual {
 public:
  struct Config final : ResidualOptions {
    double init = 0;
    void fields(Fields& f) override { f("init", init, "where the factor starts", at_least(0)); }
    double start() const override { return init; }
  };
  ReZero(const Config& config, const ResidualArgs& a)
      : factor_(a.parameters.add(a.name + ".factor", {1}, Role::kGain, config.init)) {}
  Var forward(const Var& branch_btd) const override {
    return branch_scale(branch_btd, factor_.var());
  }

 private:
  ParameterRef factor_;
};

}  // namespace keel
