// LayerNorm: y = (x - mean) / sqrt(var + eps) * gain (+ bias) (Ba et al., arXiv 1607.06450).
#pragma once

#include "nn/norm/row_norm.h"

namespace keel {

class LayerNorm final : public RowNorm {
 public:
  struct Config final : RowNormOptions {
    Config() { bias = true; }
    void fields(Fields& f) override { row_fields(f, "added to the variance"); }
    NormForm form() const {
      NormForm f = RowNormOptions::form();
      f.centred = true;
      return f;
    }
  };
  LayerNorm(const Config& config, const NormArgs& args)
      : RowNorm(config.form(), GainBias(args, config)) {}
};

}  // namespace keel
