// What LayerNorm and RMSNorm share: the result of the forms fused with a residual add, and the
// size of the chunks in which the gradients of gain and bias are summed.
#pragma once

#include "autograd/var.h"

namespace keel {

// sum: the residual stream after the add (f32). y: its norm.
struct AddNorm {
  Var sum, y;
};

namespace kernel {
constexpr int64_t kNormRows = 64;  // rows in a chunk, fixed by definition
}  // namespace kernel

}  // namespace keel
