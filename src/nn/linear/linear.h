// The weight of the linears inside the blocks: as it is, or made anew in each pass from parameters
// that describe it otherwise (sigma-reparametrisation, weight normalisation). Several linears of
// one input (q, k, v; gate, up) form one stack, which one product reads.
#pragma once

#include <string>
#include <vector>

#include "nn/parameters.h"
#include "nn/pass.h"

namespace keel {

struct LinearPart {
  std::string name;  // prefix of its parameters: "blocks.0.attention.q"
  int64_t out;
  Role role;
  double factor = 1;  // of its first values
};

struct LinearArgs {
  Parameters& parameters;
  std::vector<LinearPart> parts;
  int64_t in;
};

struct LinearWeight {
  virtual ~LinearWeight() = default;
  // [sum of out, in] in the compute dtype, as linear() takes it.
  virtual Var weight(const Pass& pass) const = 0;
};

const Registry<LinearWeight, const LinearArgs&>& linears();
using LinearChoice = Variant<LinearWeight, const LinearArgs&>;

// The matrices NAME.weight of all parts, as one stack.
ParameterRef add_weights(const LinearArgs& args);

}  // namespace keel
