// Logit soft-capping: s becomes c tanh(s / c), which cannot pass c (Gemma 2, arXiv 2408.00118,
// section 2). As a pass over the tiles of attention; it comes before biases and mask, as in
// FlashAttention.
#pragma once

#include "ops/attention.h"

namespace keel {

// *cap > 0 must outlive the backward pass.
ScorePass soft_cap(const float* cap);

}  // namespace keel
