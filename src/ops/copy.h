// Copies and fills, for the backward passes of other ops. No gradient.
#pragma once

#include "autograd/var.h"

namespace keel::kernel {

// to (+)= from, converted between f32 and bf16. Both [..., c] with the same shape and a contiguous
// last axis; the axes before it may have any stride. An empty `to` is skipped.
struct Copy {
  Tensor from;
  Grad to;
};
void copy(Cpu&, const Copy&);
void copy(Cuda&, const Copy&);

// Every element = value; x as above.
struct Fill {
  Tensor x;
  float value;
};
void fill(Cpu&, const Fill&);
void fill(Cuda&, const Fill&);

}  // namespace keel::kernel
