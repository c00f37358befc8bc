#include "ops/check.h"

#include <fmt/format.h>

#include "core/error.h"

namespace keel {

void check_last_axis(const char* op, const Tensor& x, const char* name, const Tensor& v) {
  if (!v || (v.shape().axes() == 1 && v.dim(0) == x.dim(-1))) return;
  throw ShapeError(
      fmt::format("{}: {} has {} values, last axis of x has {}", op, name, v.size(), x.dim(-1)));
}

void check_same_shape(const char* op, const char* a_name, const Tensor& a, const char* b_name,
                      const Tensor& b) {
  if (a.shape() == b.shape()) return;
  throw ShapeError(
      fmt::format("{}: {} is {}, {} is {}", op, a_name, a.shape().str(), b_name, b.shape().str()));
}

void check_axes(const char* op, const char* name, const Tensor& x, int axes) {
  if (x.shape().axes() == axes) return;
  throw ShapeError(fmt::format("{}: {} is {}, must have {} axes", op, name, x.shape().str(), axes));
}

void check_contiguous(const char* op, const char* name, const Tensor& x) {
  if (x.contiguous()) return;
  throw ShapeError(fmt::format("{}: {} {} must be contiguous", op, name, x.shape().str()));
}

}  // namespace keel
