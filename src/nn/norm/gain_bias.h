// What a norm multiplies and adds after normalising: its parameters, and what is made of them
// before they reach a kernel. A gain may be stored as its distance from 1, or be missing; a
// placement may scale the whole output. All of that happens to vectors of `dim` values, so kernels
// know nothing of it.
#pragma once

#include "nn/norm/norm.h"

namespace keel {

// Keys that all norms share, beside their epsilon.
struct NormOptions : Config {
  bool gain = true, zero_centred = false, bias = false;

  void validate(Errors& errors) const override;

 protected:
  void gain_fields(Fields& f);
};

class GainBias {
 public:
  // NAME.gain and NAME.bias. gain_factor: on the gain alone, beside args.scale.
  GainBias(const NormArgs& args, const NormOptions& options, double gain_factor = 1);
  // f32 [dim], or empty: 1 and 0.
  Var gain() const;
  Var bias() const;

 private:
  float gain_factor_, bias_factor_;
  bool zero_centred_;
  ParameterRef gain_, bias_;
  Tensor constant_;  // the gain where none is trained and it is not 1
};

}  // namespace keel
