// A norm over the last axis as a module: it owns its gain and bias. The registry is the list.
#pragma once

#include <string>

#include "nn/parameters.h"
#include "ops/norm.h"

namespace keel {

struct NormArgs {
  Parameters& parameters;
  std::string name;  // prefix of its parameters
  int64_t dim;       // size of the last axis
  double scale = 1;  // of the whole output, gain and bias included
};

struct Norm {
  virtual ~Norm() = default;
  // y = norm(x), of dtype `out`.
  virtual Var forward(const Var& x, DType out) const = 0;
  // sum = x + branch (f32), y = norm(sum): one pass where the norm has a fused form.
  virtual AddNorm add_forward(const Var& x, const Var& branch, DType out) const;
  // sum = factor x + branch, y = norm(sum).
  virtual AddNorm scaled_add_forward(const Var& x, float factor, const Var& branch,
                                     DType out) const;
};

const Registry<Norm, const NormArgs&>& norms();
using NormChoice = Variant<Norm, const NormArgs&>;

}  // namespace keel
