// y = a x + b z + c with plain numbers a, b, c: a scaled residual stream, a weighted sum of two
// streams, a gain that is stored as its distance from 1.
#pragma once

#include "autograd/var.h"

namespace keel {

// x, z of one shape, f32 or bf16, contiguous; z may be empty. y is f32.
Var blend(const Var& x, float a, const Var& z, float b, float c = 0.0f);

namespace kernel {
struct Blend {
  Tensor x, z, y;  // z may be empty
  float a, b, c;
};
void blend(Cpu&, const Blend&);

// to (+)= factor from; both contiguous and of one shape. An empty `to` is skipped.
struct ScaledCopy {
  Tensor from;  // f32
  Grad to;      // f32 or bf16
  float factor;
};
void scaled_copy(Cpu&, const ScaledCopy&);
}  // namespace kernel

}  // namespace keel
