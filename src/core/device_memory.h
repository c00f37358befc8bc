// Memory that is not the host's. core knows no GPU: the backend of a device says once how its
// memory is had, before the first tensor lives there.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "core/device_kind.h"
#include "core/tensor.h"

namespace keel {

struct DeviceMemory {
  // Throws MemoryError naming `what` and the bytes. The memory is zeroed.
  void* (*allocate)(size_t bytes, const char* what);
  void (*release)(void* data);
  // Both return when the bytes are there.
  void (*to_device)(void* device, const void* host, size_t bytes);
  void (*to_host)(void* host, const void* device, size_t bytes);
};

// The memory of kCuda; `memory` must live on.
void set_cuda_memory(const DeviceMemory& memory);
// Throws DeviceError where no backend has said how.
const DeviceMemory& cuda_memory();

// A contiguous copy of x (which must be contiguous) in heap memory of `device`, kCpu or kCuda.
Tensor copy_to(const Tensor& x, DeviceKind device);
// x itself if it is there already, else such a copy.
Tensor moved_to(const Tensor& x, DeviceKind device);

// The bytes of a contiguous tensor from and to host memory; on kMeta neither does anything.
void write(const Tensor& to, const void* host);
void read(const Tensor& from, void* host);
// The values of a contiguous f32 tensor: its own memory on kCpu, else read into `buffer` (zeros on
// kMeta). Allocates only when `buffer` grows.
std::span<const float> host_values(const Tensor& x, std::vector<float>& buffer);

}  // namespace keel
