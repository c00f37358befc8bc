// RMSNorm: y = x / sqrt(mean(x^2) + eps) * gain (Zhang and Sennrich, arXiv 1910.07467). It leaves
// out LayerNorm's centring; the bias is another switch. The paper has no epsilon; its authors' code
// adds 1e-8 outside of the root.
#pragma once

#include "nn/norm/row_norm.h"

namespace keel {

class RmsNorm final : public RowNorm {
 public:
  struct Config final : RowNormOptions {
    void fields(Fields& f) override { row_fields(f, "added to the mean square"); }
    using RowNormOptions::form;
  };
  RmsNorm(const Config& config, const NormArgs& args)
      : RowNorm(config.form(), GainBias(args, config)) {}
};

}  // namespace keel
