// Building blocks of CUDA kernels: elements of either storage type read and written as f32, and the
// sum over a block. The storage type is a uniform branch at each access, which costs nothing beside
// the memory it waits for, so kernels need no template over dtypes.
#pragma once

#include <cuda_bf16.h>

#include <cstdint>

#include "backend/cuda/context.cuh"
#include "core/tensor.h"

namespace keel {

constexpr int kBlock = 256;  // threads in a block

// Contiguous elements to read; tests false for an empty tensor.
struct In {
  const void* data;
  bool is_bf16;

  __device__ explicit operator bool() const { return data != nullptr; }
  __device__ float operator[](int64_t i) const {
    return is_bf16 ? __bfloat162float(static_cast<const __nv_bfloat16*>(data)[i])
                   : static_cast<const float*>(data)[i];
  }
};
inline In in(const Tensor& x) { return {x.raw(), x.dtype() == DType::kBf16}; }

// Contiguous elements to write (rounded to nearest even once) or add to.
struct Out {
  void* data;
  bool is_bf16;
  bool add;

  __device__ explicit operator bool() const { return data != nullptr; }
  __device__ void put(int64_t i, float value) const {
    if (is_bf16) {
      auto* p = static_cast<__nv_bfloat16*>(data) + i;
      *p = __float2bfloat16_rn(add ? __bfloat162float(*p) + value : value);
    } else {
      auto* p = static_cast<float*>(data) + i;
      *p = add ? *p + value : value;
    }
  }
};
inline Out out(const Tensor& x, bool add = false) {
  return {x.raw(), x.dtype() == DType::kBf16, add};
}

// The sum of `value` over the kBlock threads of a block, the same bits on each of them: the order
// is a tree fixed by the thread index. Every thread of the block calls it.
__device__ inline float block_sum(float value) {
  __shared__ float of_warp[kBlock / 32];
  for (int step = 16; step > 0; step /= 2) value += __shfl_xor_sync(0xffffffffu, value, step);
  if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = value;
  __syncthreads();
  float sum = 0.0f;
  for (int w = 0; w < kBlock / 32; ++w) sum += of_warp[w];
  __syncthreads();  // of_warp may be written again by the next call
  return sum;
}

// Blocks of kBlock threads for n elements.
inline unsigned blocks_for(int64_t n) { return static_cast<unsigned>((n + kBlock - 1) / kBlock); }

}  // namespace keel
