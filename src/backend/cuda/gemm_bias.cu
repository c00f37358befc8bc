#include "backend/cuda/block.cuh"
#include "backend/cuda/gemm.cuh"

namespace keel {
namespace {

__global__ void add_bias(In value, In bias, Out to, int64_t columns, int64_t row_stride) {
  const int64_t j = int64_t{blockIdx.y} * kBlock + threadIdx.x;
  if (j >= columns) return;
  const int64_t row = blockIdx.x;
  to.put(row * row_stride + j, value[row * columns + j] + bias[j]);
}

__global__ void add_bias_in_place(In bias, Out to, int64_t columns, int64_t row_stride) {
  const int64_t j = int64_t{blockIdx.y} * kBlock + threadIdx.x;
  if (j < columns) to.put(int64_t{blockIdx.x} * row_stride + j, bias[j]);
}

}  // namespace

void add_bias(Cuda& dev, const Tensor& value, const Tensor& bias, const Tensor& to, bool add) {
  const int64_t columns = to.dim(1);
  const dim3 grid(static_cast<unsigned>(to.dim(0)), blocks_for(columns));
  if (value) {
    add_bias<<<grid, kBlock, 0, stream_of(dev)>>>(in(value), in(bias), out(to, add), columns,
                                                  to.stride(0));
  } else {
    add_bias_in_place<<<grid, kBlock, 0, stream_of(dev)>>>(in(bias), out(to, true), columns,
                                                           to.stride(0));
  }
  check_launch("gemm's bias", to.shape());
}

}  // namespace keel
