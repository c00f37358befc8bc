#include "core/device_memory.h"

#include <cstring>

#include "core/device.h"
#include "core/error.h"
#include "core/named_memory.h"

namespace keel {
namespace {

const DeviceMemory* cuda_functions = nullptr;

}  // namespace

void set_cuda_memory(const DeviceMemory& memory) { cuda_functions = &memory; }

const DeviceMemory& cuda_memory() {
  if (!cuda_functions) throw_no_cuda();
  return *cuda_functions;
}

Tensor copy_to(const Tensor& x, DeviceKind device) {
  if (!x.contiguous()) throw ShapeError("copy_to: " + x.shape().str() + " must be contiguous");
  Tensor y = persistent(x.shape(), x.dtype(), device, "a copy of a tensor");
  if (x.bytes() == 0) return y;
  const bool from_gpu = x.device() == DeviceKind::kCuda, to_gpu = device == DeviceKind::kCuda;
  if (from_gpu && to_gpu) {
    return copy_to(copy_to(x, DeviceKind::kCpu), device);
  } else if (from_gpu) {
    cuda_memory().to_host(y.raw(), x.raw(), x.bytes());
  } else if (to_gpu) {
    cuda_memory().to_device(y.raw(), x.raw(), x.bytes());
  } else {
    std::memcpy(y.raw(), x.raw(), x.bytes());
  }
  return y;
}

Tensor moved_to(const Tensor& x, DeviceKind device) {
  return x.device() == device ? x : copy_to(x, device);
}

void write(const Tensor& to, const void* host) {
  if (!to.contiguous()) throw ShapeError("write: " + to.shape().str() + " must be contiguous");
  if (to.bytes() == 0 || to.device() == DeviceKind::kMeta) return;
  if (to.device() == DeviceKind::kCuda)
    cuda_memory().to_device(to.raw(), host, to.bytes());
  else
    std::memcpy(to.raw(), host, to.bytes());
}

void read(const Tensor& from, void* host) {
  if (!from.contiguous()) throw ShapeError("read: " + from.shape().str() + " must be contiguous");
  if (from.bytes() == 0 || from.device() == DeviceKind::kMeta) return;
  if (from.device() == DeviceKind::kCuda)
    cuda_memory().to_host(host, from.raw(), from.bytes());
  else
    std::memcpy(host, from.raw(), from.bytes());
}

std::span<const float> host_values(const Tensor& x, std::vector<float>& buffer) {
  const auto n = static_cast<size_t>(x.size());
  if (x.device() == DeviceKind::kCpu) return {x.data<float>(), n};
  resize_named(buffer, n, "values of a device");
  read(x, buffer.data());
  return {buffer.data(), n};
}

}  // namespace keel
