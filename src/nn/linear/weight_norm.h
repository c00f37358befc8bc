// Weight normalisation (Salimans and Kingma, arXiv 1602.07868): NAME.weight is v, NAME.weight_gain
// g. g starts as |v| of each row, so that the model starts as the plain one.
#pragma once

#include "nn/linear/linear.h"

namespace keel {

class WeightNormLinear final : public LinearWeight, public AfterStart {
 public:
  using Config = NoOptions;
  WeightNormLinear(const Config&, const LinearArgs& args);
  Var weight(const Pass&) const override;
  void start() override;

 private:
  ParameterRef v_, gain_;
  DType compute_;
};

}  // namespace keel
