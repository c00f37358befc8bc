// Shape checks shared by the ops. Each throws ShapeError naming op, argument and both shapes.
#pragma once

#include "autograd/var.h"

namespace keel {

// `v` is a vector with one value for each element of the last axis of x; an empty v passes.
void check_last_axis(const char* op, const Tensor& x, const char* name, const Tensor& v);
void check_same_shape(const char* op, const char* a_name, const Tensor& a, const char* b_name,
                      const Tensor& b);
// x has that many axes.
void check_axes(const char* op, const char* name, const Tensor& x, int axes);
void check_contiguous(const char* op, const char* name, const Tensor& x);

}  // namespace keel
