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

// The root of all residual schemes' options.
struct ResidualOptions : Config {
  // What the branch is multiplied by at the start.
  virtual double start() const = 0;
};

struct Residual {
  virtual ~Residual() = default;
  virtual Var forward(const Var& branch_btd) const = 0;
};

const Registry<Residual, const ResidualArgs&>& residuals();
using ResidualChoice = Variant<Residual, const ResidualArgs&>;

}  // namespace keel
