#include <algorithm>

#include "backend/cuda/block.cuh"
#include "ops/copy.h"

namespace keel::kernel {
namespace {

// Where the rows of a tensor lie: extents and strides of the axes before the last one.
struct Rows {
  int axes;
  int64_t extent[Shape::kMaxAxes], stride[Shape::kMaxAxes];

  explicit Rows(const Tensor& x) : axes(x.shape().axes() - 1) {
    for (int i = 0; i < axes; ++i) {
      extent[i] = x.dim(i);
      stride[i] = x.stride(i);
    }
  }
  __device__ int64_t offset(int64_t row) const {
    int64_t at = 0;
    for (int i = axes - 1; i >= 0; --i) {
      at += row % extent[i] * stride[i];
      row /= extent[i];
    }
    return at;
  }
};

__global__ void copy_rows(In from, Rows from_rows, Out to, Rows to_rows, int64_t columns) {
  const int64_t at = from_rows.offset(blockIdx.x), there = to_rows.offset(blockIdx.x);
  for (int64_t i = int64_t{blockIdx.y} * kBlock + threadIdx.x; i < columns;
       i += int64_t{gridDim.y} * kBlock) {
    to.put(there + i, from[at + i]);
  }
}

__global__ void fill_rows(Out to, Rows rows, float value, int64_t columns) {
  const int64_t at = rows.offset(blockIdx.x);
  for (int64_t i = int64_t{blockIdx.y} * kBlock + threadIdx.x; i < columns;
       i += int64_t{gridDim.y} * kBlock) {
    to.put(at + i, value);
  }
}

// One block for each row and piece of it.
dim3 grid_for(const Tensor& x) {
  constexpr unsigned kMostPieces = 4096;
  return {static_cast<unsigned>(x.rows()), std::min(blocks_for(x.dim(-1)), kMostPieces)};
}

}  // namespace

void copy(Cuda& dev, const Copy& a) {
  if (!a.to || a.from.size() == 0) return;
  copy_rows<<<grid_for(a.from), kBlock, 0, stream_of(dev)>>>(
      in(a.from), Rows(a.from), out(a.to.t, a.to.add), Rows(a.to.t), a.from.dim(-1));
  check_launch("copy", a.from.shape());
}

void fill(Cuda& dev, const Fill& a) {
  if (a.x.size() == 0) return;
  fill_rows<<<grid_for(a.x), kBlock, 0, stream_of(dev)>>>(out(a.x), Rows(a.x), a.value,
                                                          a.x.dim(-1));
  check_launch("fill", a.x.shape());
}

}  // namespace keel::kernel
