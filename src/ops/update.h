// What the update rules of the optimizers share: memory cut into parts that one thread updates, and
// a working number for each tensor. Parts are cut by size alone.
#pragma once

#include <cstdint>
#include <span>

#include "core/dtype.h"
#include "core/tensor.h"

namespace keel::kernel {

// At most kUpdatePart elements of one tensor.
struct UpdatePart {
  float* weight;
  const float* grad;
  float *m, *v;  // moments; null: none
  bf16* copy;    // null: none
  int64_t size;
  float decay;  // multiplier of the weight decay
  float rate = 1;
};
constexpr int64_t kUpdatePart = 1 << 15;

// Sums over whole tensors, in a fixed order.
struct UpdateSums {
  std::span<const int64_t> first;  // [tensors + 1] the first part of each
  Tensor partial;                  // memory of one f64 for each part
  Tensor scale;                    // f32 [tensors] what an update is multiplied by
};

}  // namespace keel::kernel
