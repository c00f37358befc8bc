// The only device branch in the code base. A backend is a context type; kernels are overloads on
// it, so a missing kernel is a link error that names the function.
#pragma once

#include "core/device_kind.h"
#include "core/tensor.h"

namespace keel {

struct Cpu {};   // src/backend/cpu
struct Cuda;     // src/backend/cuda

#ifdef KEEL_CUDA
constexpr bool kHasCuda = true;
#else
constexpr bool kHasCuda = false;
#endif

Cpu& cpu();
Cuda& cuda();
[[noreturn]] void throw_no_cuda();
[[noreturn]] void throw_no_cuda_kernel();

// kMeta: work counted instead of done.
void count_flops(int64_t flops);
int64_t counted_flops();
void reset_counted_flops();

template <class F>
void on_device(DeviceKind d, F&& f) {
  if (d == DeviceKind::kCpu) return f(cpu());
  if (d == DeviceKind::kMeta) return;
  if constexpr (kHasCuda) {
    if constexpr (requires { f(cuda()); }) return f(cuda());
    else throw_no_cuda_kernel();
  } else {
    throw_no_cuda();
  }
}

template <class F>
void on_device(const Tensor& x, F&& f) {
  on_device(x.device(), static_cast<F&&>(f));
}

}  // namespace keel
