// y = (x - mean) / sqrt(var + eps) * gain (+ bias) over the last axis (Ba et al., arXiv
// 1607.06450), alone or fused with the residual add in front of it. Statistics are f32; the
// variance is the mean of squared deviations, in a second pass, so that a large mean costs no
// digits.
#pragma once

#include "ops/norm.h"

namespace keel {

// x [..., c] f32 or bf16; gain, bias f32 [c] or empty. y has dtype `out`. ShapeError names op,
// argument and both shapes.
Var layer_norm(const Var& x, const Var& gain, const Var& bias, float eps, DType out);

// sum = x + branch (f32, the residual stream), y = layer_norm(sum). x f32 [..., c], branch [..., c]
// f32 or bf16.
AddNorm add_layer_norm(const Var& x, const Var& branch, const Var& gain, const Var& bias, float eps,
                       DType out);

namespace kernel {
struct LayerNormFwd {
  Tensor x, branch, gain, bias;  // branch, gain, bias may be empty
  Tensor sum, y, mean, rstd;     // sum: x + branch, written only if branch is given
  float eps;
};
// dx = gradient of x from y (dsum added, if given). dbranch receives the same values.
struct LayerNormBwd {
  Tensor dy, dsum, x, gain, mean, rstd;  // x: the normed input (sum); dsum may be empty
  Grad dx, dbranch, dgain, dbias;
  Tensor partial;  // f32 [chunks of kNormRows rows, 2, c]; empty if neither dgain nor dbias
};
// y again from x and its statistics.
struct LayerNormAgain {
  Tensor x, gain, bias, mean, rstd, y;
};
void layer_norm_fwd(Cpu&, const LayerNormFwd&);
void layer_norm_bwd(Cpu&, const LayerNormBwd&);
void layer_norm_again(Cpu&, const LayerNormAgain&);
}  // namespace kernel

}  // namespace keel
