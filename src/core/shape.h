// The extents of a tensor, up to five axes, the last one contiguous in a fresh tensor.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

namespace keel {

class Shape {
 public:
  static constexpr int kMaxAxes = 5;

  Shape() = default;
  Shape(std::initializer_list<int64_t> dims);

  int axes() const { return axes_; }
  // dim(-1) is the last axis.
  int64_t dim(int axis) const { return dims_[axis < 0 ? axis + axes_ : axis]; }
  int64_t operator[](int axis) const { return dim(axis); }
  int64_t size() const;
  // Product of all axes but the last; 1 for a vector.
  int64_t rows() const;
  bool operator==(const Shape&) const = default;
  std::string str() const;  // "[2, 3]"

 private:
  std::array<int64_t, kMaxAxes> dims_{};
  int axes_ = 0;
};

}  // namespace keel
