// y = x W^T + b. W is [out, in] (PyTorch's order). Several weights that lie side by side in one
// allocation (q, k, v; gate, up) are passed as one tensor: one product reads them all.
#pragma once

#include "autograd/var.h"

namespace keel {

// x [..., in] and weight [out, in] share a dtype; bias f32 [out] or empty. y [..., out] has dtype
// `out_type` (that of x, or f32). Gradients of weight and bias are f32.
Var linear(const Var& x, const Var& weight, const Var& bias, DType out_type);
Var linear(const Var& x, const Var& weight, const Var& bias);

// For ops that hold a linear layer: from dy [rows, out], dx [rows, in] = dy W and dweight = dy^T x,
// where x is [rows, in] (read for dweight alone). An empty one is skipped.
void linear_gradients(const Tensor& dy, const Tensor& x, const Tensor& weight, const Grad& dx,
                      const Grad& dweight);

// dbias (+)= the column sums of dy [rows, n] in a fixed order; nothing if it is empty.
void bias_gradient(const Tensor& dy, const Grad& dbias);

namespace kernel {
// out[j] (+)= sum over rows of dy[row][j], in chunks fixed by the shape.
struct ColumnSum {
  Tensor dy;       // [rows, n]
  Grad out;        // f32 [n]
  Tensor partial;  // f32 [chunks of kSumRows rows, n]
};
constexpr int64_t kSumRows = 128;
void column_sum(Cpu&, const ColumnSum&);
void column_sum(Cuda&, const ColumnSum&);
}  // namespace kernel

}  // namespace keel
