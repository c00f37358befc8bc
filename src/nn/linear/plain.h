// The weight as it is.
#pragma once

#include "nn/linear/linear.h"

namespace keel {

class PlainLinear final : public LinearWeight {
 public:
  using Config = NoOptions;
  PlainLinear(const Config&, const LinearArgs& args) : weight_(add_weights(args)) {}
  Var weight(const Pass&) const override { return weight_.var(); }

 private:
  ParameterRef weight_;
};

}  // namespace keel
