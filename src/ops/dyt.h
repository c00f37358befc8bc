// Dynamic Tanh: y = tanh(alpha x) * gain + bias over the last axis, alpha one trained number (Zhu
// et al., arXiv 2503.10622), alone or fused with the residual add in front of it. It stands where a
// norm would and takes no statistics: it does not undo the scale of x.
#pragma once

#include "ops/norm.h"

namespace keel {

// x [..., c] f32 or bf16; alpha f32 [1]; gain, bias f32 [c] or empty. y has dtype `out`. ShapeError
// names op, argument and both shapes.
Var dyt(const Var& x, const Var& alpha, const Var& gain, const Var& bias, DType out);

// sum = x + branch (f32, the residual stream), y = dyt(sum). x f32 [..., c], branch [..., c] f32 or
// bf16.
AddNorm add_dyt(const Var& x, const Var& branch, const Var& alpha, const Var& gain, const Var& bias,
                DType out);

namespace kernel {
struct DytFwd {
  Tensor x, branch, alpha, gain, bias;  // branch, gain, bias may be empty
  Tensor sum, y;                        // sum: x + branch, written only if branch is given
};
struct DytBwd {
  Tensor dy, dsum, x, alpha, gain;  // x: what went into tanh (sum); dsum may be empty
  Grad dx, dbranch, dalpha, dgain, dbias;
  Tensor partial;        // f32 [chunks of kNormRows rows, 2, c]
  Tensor alpha_partial;  // f32 [chunks]
};
void dyt_fwd(Cpu&, const DytFwd&);
void dyt_bwd(Cpu&, const DytBwd&);
}  // namespace kernel

}  // namespace keel
