// The forms of LayerNorm and RMSNorm that layer_norm and rms_norm leave out: epsilon outside of the
// root, a floor instead of an epsilon (unit norm), the root mean square of the first values alone
// (pRMSNorm: Zhang and Sennrich, arXiv 1910.07467, section 4), and, in the fused form, a factor on
// the residual stream (DeepNorm: Wang et al., arXiv 2203.00555).
//
// y = (x - mean) r gain + bias over the last axis, with m the mean of the squares of the first k
// values (after the mean is taken off, where the norm centres) and
//   r = 1 / sqrt(m + eps), 1 / (sqrt(m) + eps), or 1 / max(sqrt(m), eps).
#pragma once

#include "ops/norm.h"

namespace keel {

enum class Epsilon : uint8_t { kInside, kOutside, kFloor };

struct NormForm {
  float eps = 1e-5f;
  Epsilon epsilon = Epsilon::kInside;
  bool centred = false;  // takes the mean off, as layer_norm does; then `first` must be 0
  int64_t first = 0;     // values that the mean square is taken of; 0: all
  float x_factor = 1;    // of x in x_factor x + branch; 1 without a branch
};

// x [..., c] f32 or bf16; gain, bias f32 [c] or empty. y has dtype `out`. ShapeError names op,
// argument and both shapes.
Var general_norm(const Var& x, const Var& gain, const Var& bias, const NormForm& form, DType out);

// sum = x_factor x + branch (f32, the residual stream), y = general_norm(sum). x f32 [..., c],
// branch [..., c] f32 or bf16.
AddNorm add_general_norm(const Var& x, const Var& branch, const Var& gain, const Var& bias,
                         const NormForm& form, DType out);

namespace kernel {
// weight: the share of the gradient that goes through r; 0 where a floor or an empty row hides x.
struct GeneralNormFwd {
  Tensor x, branch, gain, bias;  // branch, gain, bias may be empty
  Tensor sum, y;                 // sum: written only if branch is given
  Tensor mean, rstd, weight;     // mean is empty unless centred
  NormForm form;
};
struct GeneralNormBwd {
  Tensor dy, dsum, x, gain, mean, rstd, weight;  // x: the normed input (sum); dsum may be empty
  Grad dx, dbranch, dgain, dbias;
  Tensor partial;  // f32 [chunks of kNormRows rows, 2, c]; empty if neither dgain nor dbias
  NormForm form;
};
struct GeneralNormAgain {
  Tensor x, gain, bias, mean, rstd, y;
};
void general_norm_fwd(Cpu&, const GeneralNormFwd&);
void general_norm_bwd(Cpu&, const GeneralNormBwd&);
void general_norm_again(Cpu&, const GeneralNormAgain&);
}  // namespace kernel

}  // namespace keel
