// The only device branch in the code base. A backend is a context type; kernels are overloads on
// it, so a missing kernel is a link error that names the function.
#pragma once

#include "core/device_kind.h"
#include "core/tensor.h"

namespace keel {

struct Cpu {};  // src/backend/cpu

class CudaContext;  // src/backend/cuda/context.cuh
struct Cuda {
  CudaContext* context = nullptr;
  const char* op_file = "";  // source file of the op that runs
  // Where an op declares no overload for Cuda, the one for Cpu is chosen through this conversion,
  // which throws DeviceError: the op has no CUDA kernel yet. (One that is declared and not defined
  // stays a link error.)
  operator Cpu&() const;
};

#ifdef KEEL_CUDA
constexpr bool kHasCuda = true;
#else
constexpr bool kHasCuda = false;
#endif

Cpu& cpu();
// The GPU's context, made at the first call; DeviceError without a usable GPU.
Cuda& cuda();
[[noreturn]] void throw_no_cuda();

// kMeta: work counted instead of done.
void count_flops(int64_t flops);
int64_t counted_flops();
void reset_counted_flops();

// Calls f with the context of device d; `file` is where the call stands, for errors.
template <class F>
void on_device(DeviceKind d, F&& f, [[maybe_unused]] const char* file = __builtin_FILE()) {
  if (d == DeviceKind::kCpu) return f(cpu());
  if (d == DeviceKind::kMeta) return;
  if constexpr (kHasCuda) {
    Cuda& gpu = cuda();
    gpu.op_file = file;
    f(gpu);
  } else {
    throw_no_cuda();
  }
}

template <class F>
void on_device(const Tensor& x, F&& f, const char* file = __builtin_FILE()) {
  on_device(x.device(), static_cast<F&&>(f), file);
}

}  // namespace keel
