// What the product needs beside cuBLASLt: the bias.
#pragma once

#include "backend/cuda/context.cuh"
#include "core/tensor.h"

namespace keel {

// to[r][j] = (add: to[r][j] +) value[r][j] + bias[j], rounded once. value is f32, contiguous; where
// it is empty, the bias alone is added to what stands there. to: f32 or bf16, rows to.stride(0)
// apart; bias f32 [columns].
void add_bias(Cuda& dev, const Tensor& value, const Tensor& bias, const Tensor& to, bool add);

}  // namespace keel
