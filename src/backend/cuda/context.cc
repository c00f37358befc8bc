#include "backend/cuda/context.cuh"

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "backend/devices.h"
#include "core/device_memory.h"
#include "core/error.h"

namespace keel {
namespace {

// "src/ops/layer_norm.cc" -> "layer_norm"
std::string stem(std::string_view path) {
  path = path.substr(path.find_last_of('/') + 1);
  return std::string(path.substr(0, path.find('.')));
}

void* allocate(size_t bytes, const char* what) {
  const cudaStream_t stream = stream_of(cuda());
  void* data = allocate_on(stream, bytes, what);
  cuda_check(cudaMemsetAsync(data, 0, bytes, stream));
  return data;
}

// In stream order: what was launched before may still read the memory. The status is left alone: a
// handle goes away in destructors, and an error of an earlier kernel shows at the next check.
void release(void* data) { static_cast<void>(cudaFreeAsync(data, stream_of(cuda()))); }

void to_device(void* device, const void* host, size_t bytes) {
  const cudaStream_t stream = stream_of(cuda());
  cuda_check(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, stream));
  cuda_check(cudaStreamSynchronize(stream));
}

void to_host(void* host, const void* device, size_t bytes) {
  const cudaStream_t stream = stream_of(cuda());
  cuda_check(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, stream));
  cuda_check(cudaStreamSynchronize(stream));
}

constexpr DeviceMemory kMemory{allocate, release, to_device, to_host};

}  // namespace

void cuda_check(cudaError_t status, std::source_location where) {
  if (status == cudaSuccess) return;
  throw DeviceError(
      fmt::format("cuda: {} ({}:{})", cudaGetErrorString(status), where.file_name(), where.line()));
}

void check_launch(const char* op, const Shape& shape) {
  const cudaError_t status = cudaGetLastError();
  if (status == cudaSuccess) return;
  throw DeviceError(fmt::format("{} on cuda: {} {}", op, shape.str(), cudaGetErrorString(status)));
}

Stream::Stream() { cuda_check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking)); }
Stream::~Stream() { cudaStreamDestroy(stream_); }

CudaContext::CudaContext() : gemm_plans_(make_gemm_plans()) {}

void* allocate_on(cudaStream_t stream, size_t bytes, const char* what) {
  void* data = nullptr;
  const cudaError_t status = cudaMallocAsync(&data, bytes, stream);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // the error is handled: later checks must not see it
    throw MemoryError(fmt::format("not enough GPU memory for {}: {} bytes", what, bytes));
  }
  cuda_check(status);
  return data;
}

Cuda& cuda() {
  // Never destroyed: the driver may be gone when static objects are.
  static Cuda* gpu = [] {
    const std::string problem = cuda_problem();
    if (!problem.empty()) throw DeviceError("device \"cuda\": " + problem);
    auto* made = new Cuda{.context = new CudaContext};
    set_cuda_memory(kMemory);
    return made;
  }();
  return *gpu;
}

Cuda::operator Cpu&() const {
  throw DeviceError(fmt::format(
      "{} has no CUDA kernel yet (those that have one: linear, rms_norm); use device \"cpu\"",
      stem(op_file)));
}

std::string cuda_problem() {
  int driver = 0, count = 0;
  if (cudaDriverGetVersion(&driver) == cudaSuccess && driver == 0) {
    return "no GPU can be used: no NVIDIA driver is installed";
  }
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess) {
    cudaGetLastError();
    return fmt::format("no GPU can be used: {}", cudaGetErrorString(status));
  }
  return count > 0 ? "" : "no GPU can be used: this machine has none";
}

std::string cuda_description() {
  cudaDeviceProp p{};
  cuda_check(cudaGetDeviceProperties(&p, 0));
  return fmt::format("{}, {} GiB, compute capability {}.{}", p.name, p.totalGlobalMem >> 30,
                     p.major, p.minor);
}

}  // namespace keel
