// From the projected q, k, v side by side to what attention reads: q and k, each optionally normed
// per head (QK-norm: Henry et al., arXiv 2010.04245; gains shared by the heads) and then rotated by
// position (RoPE: Su et al., arXiv 2104.09864, in the half-split layout: value i of a head turns
// with value i + head_dim / 2). v is not touched. Only qkv and the statistics are kept for the
// backward pass; q and k are made again.
#pragma once

#include "autograd/var.h"

namespace keel {

// f32 [context, head_dim / 2]: cos and sin of position * base^(-2 i / head_dim), made in double.
// `interleaved`: value 2 i turns with value 2 i + 1, as the paper has it (for split_heads only).
struct RopeTables {
  Tensor cos, sin;
  bool interleaved = false;
  explicit operator bool() const { return static_cast<bool>(cos); }
};
// ShapeError if head_dim is odd.
RopeTables rope_tables(int64_t context, int64_t head_dim, double base,
                       DeviceKind device = DeviceKind::kCpu);

enum class QkNorm : uint8_t { kNone, kRms, kLayer };

struct QkvOptions {
  int64_t heads = 0, kv_heads = 0, head_dim = 0;
  QkNorm norm = QkNorm::kNone;
  float eps = 1e-6f;
  RopeTables rope;     // empty: no rotation
  int64_t offset = 0;  // position of the first token (tokens already in a cache)
  // i32 [b, t] or empty: index within the row of the first token of this token's document.
  // A token's position is offset + its index - that.
  Tensor segments;
};
// Gains and biases f32 [head_dim] or empty; biases belong to kLayer.
struct QkNormParameters {
  Var q_gain, k_gain, q_bias, k_bias;
};

// q [b, t, heads, head_dim], k and v [b, t, kv_heads, head_dim], of qkv's dtype. v is a strided
// view of qkv, and so are q and k when there is neither norm nor rotation.
struct Qkv {
  Var q, k, v;
};
// qkv [b, t, (heads + 2 kv_heads) head_dim] f32 or bf16, contiguous; q first, then k, then v.
// ShapeError names the argument and both shapes, also for positions beyond the tables.
Qkv split_qkv(const Var& qkv, const QkNormParameters& parameters, const QkvOptions& options);

namespace kernel {
// One part (q or k) of qkv: x [b, t, n, head_dim], a view with any stride between tokens.
struct HeadNormRope {
  Tensor x, gain, bias;  // gain, bias may be empty
  Tensor cos, sin, segments;
  int64_t offset;
  QkNorm norm;
  float eps;
};
struct HeadNormRopeFwd {
  HeadNormRope in;
  Tensor y;           // contiguous
  Tensor mean, rstd;  // f32 [b t n]; mean for kLayer, rstd for kRms and kLayer
  bool again;         // statistics are there already
};
struct HeadNormRopeBwd {
  HeadNormRope in;
  Tensor dy, mean, rstd;  // dy with any stride between tokens
  Grad dx;                // a view as x is
  Grad dgain, dbias;
  Tensor partial;  // f32 [chunks of kHeadTokens tokens, 2, head_dim]; empty if neither is wanted
};
constexpr int64_t kHeadTokens = 64;
constexpr int64_t kMaxHeadDim = 1024;  // a head's gradient lies on the stack
void head_norm_rope_fwd(Cpu&, const HeadNormRopeFwd&);
void head_norm_rope_bwd(Cpu&, const HeadNormRopeBwd&);
}  // namespace kernel

}  // namespace keel
