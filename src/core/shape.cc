#include "core/shape.h"

#include <fmt/format.h>

#include "core/error.h"

namespace keel {

Shape::Shape(std::initializer_list<int64_t> dims) {
  if (dims.size() > kMaxAxes) {
    throw ShapeError(fmt::format("a tensor has at most {} axes, not {}", kMaxAxes, dims.size()));
  }
  for (int64_t d : dims) {
    if (d < 0) throw ShapeError(fmt::format("an axis of {} elements: must be at least 0", d));
    dims_[axes_++] = d;
  }
}

int64_t Shape::size() const {
  int64_t n = 1;
  for (int i = 0; i < axes_; ++i) n *= dims_[i];
  return n;
}

int64_t Shape::rows() const {
  int64_t n = 1;
  for (int i = 0; i + 1 < axes_; ++i) n *= dims_[i];
  return n;
}

std::string Shape::str() const {
  std::string s = "[";
  for (int i = 0; i < axes_; ++i) s += fmt::format("{}{}", i ? ", " : "", dims_[i]);
  return s + "]";
}

}  // namespace keel
