#include "backend/cuda/block.cuh"
#include "ops/linear.h"

namespace keel::kernel {
namespace {

// One thread for each column and chunk of kSumRows rows, as on the CPU.
__global__ void partial_sums(In dy, float* partial, int64_t rows, int64_t columns) {
  const int64_t j = int64_t{blockIdx.y} * kBlock + threadIdx.x;
  if (j >= columns) return;
  const int64_t begin = int64_t{blockIdx.x} * kSumRows;
  const int64_t end = min(begin + kSumRows, rows);
  float sum = 0.0f;
  for (int64_t r = begin; r < end; ++r) sum += dy[r * columns + j];
  partial[int64_t{blockIdx.x} * columns + j] = sum;
}

__global__ void sum_chunks(const float* partial, Out to, int64_t chunks, int64_t columns) {
  const int64_t j = int64_t{blockIdx.x} * kBlock + threadIdx.x;
  if (j >= columns) return;
  float sum = 0.0f;
  for (int64_t k = 0; k < chunks; ++k) sum += partial[k * columns + j];
  to.put(j, sum);
}

}  // namespace

void column_sum(Cuda& dev, const ColumnSum& a) {
  const int64_t columns = a.dy.dim(1), chunks = a.partial.dim(0);
  if (columns == 0) return;
  if (chunks > 0) {
    const dim3 grid(static_cast<unsigned>(chunks), blocks_for(columns));
    partial_sums<<<grid, kBlock, 0, stream_of(dev)>>>(in(a.dy), a.partial.data<float>(),
                                                      a.dy.dim(0), columns);
  }
  sum_chunks<<<blocks_for(columns), kBlock, 0, stream_of(dev)>>>(
      a.partial.data<float>(), out(a.out.t, a.out.add), chunks, columns);
  check_launch("linear", a.dy.shape());
}

}  // namespace keel::kernel
