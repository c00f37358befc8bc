// A view of memory: pointer, shape, strides. Copying shares the memory. An empty tensor (no memory,
// no axes) stands for "absent": an optional bias, a gradient that nobody wants.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "core/device_kind.h"
#include "core/dtype.h"
#include "core/memory.h"
#include "core/shape.h"

namespace keel {

class Tensor {
 public:
  Tensor() = default;
  Tensor(const Tensor& o);
  Tensor(Tensor&& o) noexcept;
  Tensor& operator=(const Tensor& o);
  Tensor& operator=(Tensor&& o) noexcept;
  ~Tensor();

  explicit operator bool() const { return defined_; }
  const Shape& shape() const { return shape_; }
  int64_t dim(int axis) const { return shape_.dim(axis); }
  int64_t size() const { return shape_.size(); }
  int64_t rows() const { return shape_.rows(); }
  DType dtype() const { return dtype_; }
  DeviceKind device() const { return device_; }
  // Elements between neighbours along an axis.
  int64_t stride(int axis) const { return strides_[axis < 0 ? axis + shape_.axes() : axis]; }
  bool contiguous() const;
  size_t bytes() const { return static_cast<size_t>(size()) * size_of(dtype_); }

  void* raw() const { return data_; }
  template <class T>
  T* data() const {
    return static_cast<T*>(data_);
  }

  // Same memory, another shape of equal size; the tensor must be contiguous.
  Tensor view(const Shape& shape) const;
  // Elements [begin, end) of one axis, same memory.
  Tensor slice(int axis, int64_t begin, int64_t end) const;
  // Same memory read with other extents and strides (in elements), starting at `offset` elements.
  Tensor strided(const Shape& shape, std::initializer_list<int64_t> strides,
                 int64_t offset = 0) const;

  friend Tensor empty(const Shape&, DType, DeviceKind);
  friend Tensor persistent(const Shape&, DType, DeviceKind, const char* what);

 private:
  Tensor(Block* block, const Shape& shape, DType dtype, DeviceKind device);

  Block* block_ = nullptr;
  void* data_ = nullptr;
  Shape shape_;
  std::array<int64_t, Shape::kMaxAxes> strides_{};
  DType dtype_ = DType::kF32;
  DeviceKind device_ = DeviceKind::kCpu;
  bool defined_ = false;
};

// Uninitialised memory from the arena in force (core/arena.h), else from the heap.
Tensor empty(const Shape& shape, DType dtype = DType::kF32, DeviceKind device = DeviceKind::kCpu);
// Same shape, dtype and device as x, uninitialised.
Tensor like(const Tensor& x);
// f32 [rows of x]: a statistic for each row.
Tensor rows_of(const Tensor& x);
// Zeroed heap memory that outlives steps; `what` names it when memory is short.
Tensor persistent(const Shape& shape, DType dtype, DeviceKind device, const char* what);

// Host values in, host values out (f32 or i32; bf16 tensors convert). For tests, loading, reading.
Tensor from_host(const Shape& shape, std::span<const float> values, DType dtype = DType::kF32);
Tensor from_host(const Shape& shape, std::span<const int32_t> values);
std::vector<float> to_host(const Tensor& x);

}  // namespace keel
