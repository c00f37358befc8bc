// L2 or unit norm: y = x / max(||x||, eps) * sqrt(dim) * gain; the factor sqrt(dim) may be left
// out. With it and a gain of 1 this is RMSNorm without an epsilon. Zhang and Sennrich (arXiv
// 1910.07467) found it worse without the factor.
#pragma once

#include "nn/norm/row_norm.h"

namespace keel {

class UnitNorm final : public RowNorm {
 public:
  struct Config final : NormOptions {
    double eps = 1e-12;
    bool scale_sqrt_dim = true;
    void fields(Fields& f) override {
      f("eps", eps, "the norm is taken to be at least this", at_least(0));
      f("scale_sqrt_dim", scale_sqrt_dim, "times sqrt(dim): rows of root mean square 1");
      gain_fields(f);
    }
  };
  UnitNorm(const Config& config, const NormArgs& args);
};

}  // namespace keel
