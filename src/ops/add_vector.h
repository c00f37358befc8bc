// y = x + v, one vector for all tokens: what Transformer-XL adds to queries (Dai et al., arXiv
// 1901.02860, u and v). y is not kept, it is made again.
#pragma once

#include "autograd/var.h"

namespace keel {

// x [b, t, heads, head_dim] with any strides, last axis contiguous, f32 or bf16; v [heads,
// head_dim] f32 or of x's dtype; y contiguous, of x's dtype. dv is f32. ShapeError otherwise.
Var add_vector(const Var& x, const Var& v);

namespace kernel {
struct AddVector {
  Tensor x, v, y;
};
void add_vector(Cpu&, const AddVector&);
}  // namespace kernel

}  // namespace keel
