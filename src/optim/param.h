// A trained tensor as the optimizers see it. All tensors are views into flat allocations.
#pragma once

#include <string>
#include <vector>

#include "core/tensor.h"

namespace keel {

struct Param {
  std::string name;    // "blocks.0.attention.q.weight"
  Tensor weight;       // f32 master weight, contiguous
  Tensor grad;         // f32, same shape
  Tensor copy;         // bf16 working copy of the weight, same shape; empty when training in f32
  bool decay = false;  // is weight decay applied (tensors of two or more axes)
};
using Params = std::vector<Param>;

}  // namespace keel
