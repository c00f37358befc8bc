// BatchNorm over the rows: y = (x - mean) / sqrt(var + eps) * gain + bias, mean and variance of
// each channel over all rows of the batch (Ioffe and Szegedy, arXiv 1502.03167). What one row
// becomes depends on all others, later positions of its own sequence included. In evaluation
// running averages stand for the statistics.
#pragma once

#include "autograd/var.h"

namespace keel {

// f32 [c] each, outside of the tape. A training pass writes them: new = (1 - momentum) old +
// momentum batch, the variance with n - 1; a batch whose statistics are not finite leaves them.
struct RunningStats {
  Tensor mean, variance;
};
struct BatchNormForm {
  float eps = 1e-5f;
  float momentum = 0.1f;
  bool training = true;
};

// x [..., c] f32 or bf16; gain, bias f32 [c] or empty. y has dtype `out`. ShapeError names op,
// argument and both shapes.
Var batch_norm(const Var& x, const Var& gain, const Var& bias, const RunningStats& running,
               const BatchNormForm& form, DType out);

namespace kernel {
constexpr int64_t kBatchRows = 64;  // rows in a chunk of a sum over rows
struct BatchNormStats {
  Tensor x;
  RunningStats running;
  Tensor mean, rstd;  // f32 [c], out
  Tensor partial;     // f32 [chunks of kBatchRows rows, c]; empty in evaluation
  BatchNormForm form;
};
struct BatchNormRows {
  Tensor x, gain, bias, mean, rstd, y;  // gain, bias may be empty
};
struct BatchNormBwd {
  Tensor dy, x, gain, mean, rstd;
  Grad dx, dgain, dbias;
  Tensor partial;  // f32 [chunks, 2, c]
  Tensor sums;     // f32 [2, c]: of dy xhat and of dy
  bool training;
};
void batch_norm_stats(Cpu&, const BatchNormStats&);
void batch_norm_rows(Cpu&, const BatchNormRows&);
void batch_norm_bwd(Cpu&, const BatchNormBwd&);
}  // namespace kernel

}  // namespace keel
