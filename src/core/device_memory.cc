#include "core/device_memory.h"

#include <cstring>

#include "core/device.h"
#include "core/error.h"

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

}  // namespace keel
