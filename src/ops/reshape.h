// The same memory under another shape of equal size. Value and gradient are shared with x: nothing
// is moved in either direction and nothing is recorded.
#pragma once

#include "autograd/var.h"

namespace keel {

// x contiguous; ShapeError otherwise, or if the sizes differ.
Var reshape(const Var& x, const Shape& shape);

}  // namespace keel
