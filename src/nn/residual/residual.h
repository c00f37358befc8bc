// What multiplies a branch before it is added to the residual stream ("none": nothing does).
#pragma once

#include <string>

#include "nn/parameters.h"

namespace keel {

struct ResidualArgs {
  Parameters& parameters;
  std::string name;
  int64_t dim, layer, layers;
};

struct Residual {
  virtual ~Residual() = default;
  virtual Var forward(const Var& branch_btd) const = 0;
};

const Registry<Residual, const ResidualArgs&>& residuals();
using ResidualChoice = Variant<Residual, const ResidualArgs&>;

}  // namespace keel
