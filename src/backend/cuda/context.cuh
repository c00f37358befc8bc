// The GPU as one context: device 0, one stream on which all work is ordered, the product's handles
// and plans. Included by the CUDA backend and by kernels (*.cu) only.
#pragma once

#include <cuda_runtime.h>

#include <memory>
#include <source_location>

#include "core/device.h"

namespace keel {

// Throws DeviceError (MemoryError when memory ran out) with CUDA's reason and the place of the
// call.
void cuda_check(cudaError_t status, std::source_location where = std::source_location::current());
// After a kernel launch: the error names the op and the shape it was given.
void check_launch(const char* op, const Shape& shape);

class Stream {
 public:
  Stream();
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  cudaStream_t get() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

struct GemmPlans;  // gemm.cc

class CudaContext {
 public:
  CudaContext();
  cudaStream_t stream() const { return stream_.get(); }
  GemmPlans& gemm_plans() { return *gemm_plans_; }

 private:
  Stream stream_;
  std::unique_ptr<GemmPlans, void (*)(GemmPlans*)> gemm_plans_;
};

std::unique_ptr<GemmPlans, void (*)(GemmPlans*)> make_gemm_plans();

// Bytes in stream order, not zeroed: scratch of the backend. Throws MemoryError naming `what`.
void* allocate_on(cudaStream_t stream, size_t bytes, const char* what);

inline cudaStream_t stream_of(Cuda& dev) { return dev.context->stream(); }

}  // namespace keel
