// A trained tensor as the optimizers see it. All tensors are views into flat allocations.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/tensor.h"

namespace keel {

// What a parameter is for: rates and decay can differ by it, and Muon takes matrices alone.
enum class Group : uint8_t { kEmbedding, kHead, kMatrix, kVector };

struct Param {
  std::string name;  // "blocks.0.attention.q.weight"
  Tensor weight;     // f32 master weight, contiguous
  Tensor grad;       // f32, same shape
  Tensor copy;       // bf16 working copy of the weight, same shape; empty when training in f32
  double decay = 0;  // what the optimizer's weight decay is multiplied by
  double rate = 1;   // what its rate is multiplied by
  Group group = Group::kMatrix;
};
using Params = std::vector<Param>;

}  // namespace keel
