// y = a + b, the residual add where no norm follows at once (with one: add_rms_norm,
// add_layer_norm).
#pragma once

#include "autograd/var.h"

namespace keel {

// a and b of one shape, contiguous, each f32 or bf16; y f32. ShapeError names both shapes.
Var add(const Var& a, const Var& b);

namespace kernel {
struct Add {
  Tensor a, b, y;
};
void add(Cpu&, const Add&);
}  // namespace kernel

}  // namespace keel
