#include "core/tensor.h"

#include <fmt/format.h>

#include <utility>

#include "core/arena.h"
#include "core/error.h"

namespace keel {

Tensor::Tensor(Block* block, const Shape& shape, DType dtype, DeviceKind device)
    : block_(block),
      data_(block->data),
      shape_(shape),
      dtype_(dtype),
      device_(device),
      defined_(true) {
  int64_t s = 1;
  for (int i = shape.axes() - 1; i >= 0; --i) {
    strides_[i] = s;
    s *= shape[i];
  }
}

Tensor::Tensor(const Tensor& o)
    : block_(o.block_),
      data_(o.data_),
      shape_(o.shape_),
      strides_(o.strides_),
      dtype_(o.dtype_),
      device_(o.device_),
      defined_(o.defined_) {
  if (block_) retain(block_);
}

Tensor::Tensor(Tensor&& o) noexcept
    : block_(std::exchange(o.block_, nullptr)),
      data_(std::exchange(o.data_, nullptr)),
      shape_(o.shape_),
      strides_(o.strides_),
      dtype_(o.dtype_),
      device_(o.device_),
      defined_(std::exchange(o.defined_, false)) {}

Tensor& Tensor::operator=(const Tensor& o) {
  Tensor copy(o);
  return *this = std::move(copy);
}

Tensor& Tensor::operator=(Tensor&& o) noexcept {
  if (this == &o) return *this;
  if (block_) release(block_);
  block_ = std::exchange(o.block_, nullptr);
  data_ = std::exchange(o.data_, nullptr);
  shape_ = o.shape_;
  strides_ = o.strides_;
  dtype_ = o.dtype_;
  device_ = o.device_;
  defined_ = std::exchange(o.defined_, false);
  return *this;
}

Tensor::~Tensor() {
  if (block_) release(block_);
}

bool Tensor::contiguous() const {
  int64_t s = 1;
  for (int i = shape_.axes() - 1; i >= 0; --i) {
    if (shape_[i] != 1 && strides_[i] != s) return false;
    s *= shape_[i];
  }
  return true;
}

Tensor Tensor::view(const Shape& shape) const {
  if (shape.size() != size() || !contiguous()) {
    throw ShapeError(fmt::format("view: {} of {} elements cannot be read as {}", shape_.str(),
                                 contiguous() ? "contiguous" : "strided", shape.str()));
  }
  Tensor out(*this);
  out.shape_ = shape;
  int64_t s = 1;
  for (int i = shape.axes() - 1; i >= 0; --i) {
    out.strides_[i] = s;
    s *= shape[i];
  }
  return out;
}

Tensor Tensor::slice(int axis, int64_t begin, int64_t end) const {
  if (axis < 0) axis += shape_.axes();
  if (axis < 0 || axis >= shape_.axes() || begin < 0 || end < begin || end > shape_[axis]) {
    throw ShapeError(
        fmt::format("slice: [{}, {}) of axis {} of {}", begin, end, axis, shape_.str()));
  }
  Shape s;
  std::array<int64_t, Shape::kMaxAxes> d{};
  for (int i = 0; i < shape_.axes(); ++i) d[i] = i == axis ? end - begin : shape_[i];
  switch (shape_.axes()) {
    case 1:
      s = Shape{d[0]};
      break;
    case 2:
      s = Shape{d[0], d[1]};
      break;
    case 3:
      s = Shape{d[0], d[1], d[2]};
      break;
    case 4:
      s = Shape{d[0], d[1], d[2], d[3]};
      break;
    default:
      s = Shape{d[0], d[1], d[2], d[3], d[4]};
  }
  Tensor out(*this);
  out.shape_ = s;
  if (data_) {
    out.data_ = static_cast<char*>(data_) + begin * strides_[axis] * int64_t(size_of(dtype_));
  }
  return out;
}

Tensor Tensor::strided(const Shape& shape, std::initializer_list<int64_t> strides,
                       int64_t offset) const {
  if (static_cast<int>(strides.size()) != shape.axes()) {
    throw ShapeError(fmt::format("strided: {} strides for {}", strides.size(), shape.str()));
  }
  Tensor out(*this);
  out.shape_ = shape;
  int i = 0;
  for (int64_t s : strides) out.strides_[i++] = s;
  if (data_) out.data_ = static_cast<char*>(data_) + offset * int64_t(size_of(dtype_));
  return out;
}

namespace {

// Far beyond any machine, and small enough that sums of sizes (a plan) do not overflow.
constexpr int64_t kMostElements = int64_t{1} << 42;

size_t bytes_of(const Shape& shape, DType dtype, const char* what) {
  int64_t left = kMostElements;
  for (int i = 0; i < shape.axes(); ++i) {
    if (shape[i] == 0) return 0;
    left /= shape[i];
  }
  if (left == 0) {
    throw MemoryError(fmt::format("not enough memory for {}: {} is more than any machine has", what,
                                  shape.str()));
  }
  return static_cast<size_t>(shape.size()) * size_of(dtype);
}

}  // namespace

Tensor empty(const Shape& shape, DType dtype, DeviceKind device) {
  constexpr const char* kWhat = "a tensor";
  const size_t bytes = bytes_of(shape, dtype, kWhat);
  Arena* arena = Arena::current();
  if (arena && arena->device() != device) arena = nullptr;
  Block* block = arena ? arena->allocate(bytes) : allocate_heap(device, bytes, kWhat);
  return Tensor(block, shape, dtype, device);
}

Tensor like(const Tensor& x) { return empty(x.shape(), x.dtype(), x.device()); }

Tensor rows_of(const Tensor& x) { return empty({x.rows()}, DType::kF32, x.device()); }

Tensor persistent(const Shape& shape, DType dtype, DeviceKind device, const char* what) {
  const size_t bytes = bytes_of(shape, dtype, what);
  return Tensor(allocate_heap(device, bytes, what), shape, dtype, device);
}

namespace {

void check_count(const Shape& shape, size_t n) {
  if (shape.size() != static_cast<int64_t>(n)) {
    throw ShapeError(fmt::format("from_host: {} values for {}", n, shape.str()));
  }
}

}  // namespace

Tensor from_host(const Shape& shape, std::span<const float> values, DType dtype) {
  check_count(shape, values.size());
  Tensor t = persistent(shape, dtype, DeviceKind::kCpu, "a tensor");
  for (size_t i = 0; i < values.size(); ++i) {
    if (dtype == DType::kBf16)
      t.data<bf16>()[i] = bf16(values[i]);
    else
      t.data<float>()[i] = values[i];
  }
  return t;
}

Tensor from_host(const Shape& shape, std::span<const int32_t> values) {
  check_count(shape, values.size());
  Tensor t = persistent(shape, DType::kI32, DeviceKind::kCpu, "a tensor");
  for (size_t i = 0; i < values.size(); ++i) t.data<int32_t>()[i] = values[i];
  return t;
}

std::vector<float> to_host(const Tensor& x) {
  std::vector<float> out;
  out.reserve(x.size());
  std::array<int64_t, Shape::kMaxAxes> index{};
  const int axes = x.shape().axes();
  for (int64_t n = 0; n < x.size(); ++n) {
    int64_t at = 0;
    for (int i = 0; i < axes; ++i) at += index[i] * x.stride(i);
    if (x.dtype() == DType::kBf16)
      out.push_back(static_cast<float>(x.data<bf16>()[at]));
    else if (x.dtype() == DType::kI32)
      out.push_back(static_cast<float>(x.data<int32_t>()[at]));
    else
      out.push_back(x.data<float>()[at]);
    for (int i = axes - 1; i >= 0 && ++index[i] == x.dim(i); --i) index[i] = 0;
  }
  return out;
}

}  // namespace keel
