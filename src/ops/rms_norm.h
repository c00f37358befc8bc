// y = x / sqrt(mean(x^2) + eps) * gain (+ bias) over the last axis (Zhang and Sennrich, arXiv
// 1910.07467), alone or fused with the residual add in front of it. Statistics are f32.
#pragma once

#include "ops/norm.h"

namespace keel {

// x [..., c] f32 or bf16; gain, bias [c] f32 or empty. y has dtype `out` (f32 stays, bf16 rounds).
Var rms_norm(const Var& x, const Var& gain, const Var& bias, float eps, DType out);

// sum = x + branch (f32, the residual stream), y = rms_norm(sum). x f32 [..., c], branch [..., c].
AddNorm add_rms_norm(const Var& x, const Var& branch, const Var& gain, const Var& bias, float eps,
                     DType out);

namespace kernel {
struct RmsNormFwd {
  Tensor x, branch, gain, bias;  // branch, gain, bias may be empty
  Tensor sum, y, rstd;           // sum: x + branch, written only if branch is given
  float eps;
};
// dx = gradient of x from y (and dsum added, if given). dbranch receives the same values.
struct RmsNormBwd {
  Tensor dy, dsum, x, gain, rstd;  // x: the normed input (sum); dsum may be empty
  Grad dx, dbranch, dgain, dbias;
  Tensor partial;  // f32 [chunks of kNormRows rows, 2, c]; empty if neither dgain nor dbias
};
// y again from x and rstd.
struct RmsNormAgain {
  Tensor x, gain, bias, rstd, y;
};
void rms_norm_fwd(Cpu&, const RmsNormFwd&);
void rms_norm_bwd(Cpu&, const RmsNormBwd&);
void rms_norm_again(Cpu&, const RmsNormAgain&);
void rms_norm_fwd(Cuda&, const RmsNormFwd&);
void rms_norm_bwd(Cuda&, const RmsNormBwd&);
void rms_norm_again(Cuda&, const RmsNormAgain&);
}  // namespace kernel

}  // namespace keel
