// pRMSNorm: RMSNorm whose root mean square is that of the first ceil(share * dim) values alone
// (Zhang and Sennrich, arXiv 1910.07467, section 4). "First" relies on channels being exchangeable;
// few values make a noisy statistic.
#pragma once

#include "nn/norm/row_norm.h"

namespace keel {

class PartialRmsNorm final : public RowNorm {
 public:
  struct Config final : RowNormOptions {
    double share = 0.0625;
    void fields(Fields& f) override;
    // Of `dim` values, as many as the mean square is taken of: at least one.
    int64_t first(int64_t dim) const;
    NormForm form(int64_t dim) const;
  };
  PartialRmsNorm(const Config& config, const NormArgs& args)
      : RowNorm(config.form(args.dim), GainBias(args, config)) {}
};

}  // namespace keel
