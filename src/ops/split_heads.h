// From the projected q, k, v side by side to what attention reads, in every form that split_qkv
// (rope.h) has no fused kernel for: a norm of q, k or v over each head or over all heads of a
// token, with a gain shared by the heads or one for each, in front of the rotation or behind it;
// rotation in both layouts, of a part of the channels, and of v as well. Only qkv is kept for
// backward.
#pragma once

#include "ops/rope.h"

namespace keel {

enum class HeadNormKind : uint8_t {
  kNone,
  kRms,         // x / sqrt(mean(x^2) + eps)
  kLayer,       // (x - mean) / sqrt(var + eps)
  kPartialRms,  // x / sqrt(mean of the first ceil(share n) squares + eps) (arXiv 1910.07467)
  kL2,          // x / max(||x||, eps) (Henry et al., arXiv 2010.04245)
  kTanh,        // tanh(alpha x), no statistics (DyT: Zhu et al., arXiv 2503.10622)
};

// How one of q, k, v is made of its columns.
struct HeadForm {
  HeadNormKind norm = HeadNormKind::kNone;
  bool width = false;      // statistics over all heads of a token, else over each head
  bool norm_last = false;  // after the rotation
  bool turn = false;       // rotated by the tables
  float eps = 1e-5f;
  float share = 1;  // of the values that kPartialRms takes the mean square of
  Var gain, bias;   // f32 [head_dim]: shared by the heads; [heads head_dim]; or empty
};

struct SplitHeads {
  int64_t heads = 0, kv_heads = 0, head_dim = 0;
  HeadForm q, k, v;
  RopeTables rope;  // of the first 2 rope.cos.dim(1) channels of a head
  int64_t offset = 0;
  Tensor segments;  // as in QkvOptions
  // Of the parts of kTanh side by side: f32, one for each part or one for each of their heads.
  Var alphas = {};
};

// qkv [b, t, (heads + 2 kv_heads) head_dim] f32 or bf16, contiguous. A part without norm and
// rotation is a view of it. ShapeError names the argument and both shapes.
Qkv split_heads(const Var& qkv, const SplitHeads& how);

namespace kernel {
// One part of qkv: x [b, t, n, head_dim], a view with any stride between tokens.
struct HeadsForm {
  Tensor x, gain, bias, alpha, cos, sin, segments;  // gain to segments may be empty
  int64_t offset;
  HeadNormKind norm;
  bool width, norm_last, interleaved;
  float eps, share;
};
struct HeadsFwd {
  HeadsForm in;
  Tensor y;  // contiguous
};
struct HeadsBwd {
  HeadsForm in;
  Tensor dy;  // with any stride between tokens
  Grad dx;    // a view as x is
  Grad dgain, dbias, dalpha;
  // f32 [chunks of kHeadTokens tokens, 2, n head_dim] for gain and bias, [chunks, 1, n] for alpha;
  // empty where none of them is wanted.
  Tensor partial, alpha_partial;
};
void heads_fwd(Cpu&, const HeadsFwd&);
void heads_bwd(Cpu&, const HeadsBwd&);
}  // namespace kernel

}  // namespace keel
