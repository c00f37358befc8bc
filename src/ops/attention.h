// o = softmax(scale q k^T) v, tiled with a running softmax so that the T x T matrix never exists
// (Rabe and Staats, arXiv 2112.05682; Dao et al., arXiv 2205.14135); backward makes the weights
// again from the rows' log-sum-exp. Grouped queries: head h reads key head h / (heads / kv_heads).
#pragma once

#include <array>
#include <cstdint>

#include "autograd/var.h"
#include "core/probes.h"
#include "core/step_state.h"

namespace keel {

// Scores of a block of queries and keys of one head: s[key * stride + query], whole vectors of
// queries. Entries of hidden pairs hold any number and are ignored afterwards.
struct ScoreTile {
  float* s;
  int64_t stride;
  int64_t batch, head;
  int64_t first_query, queries;  // first_query: position among the keys, query_offset included
  int64_t first_key, keys;
};

// A change of the scores after the scale and before the softmax: s = f(s) in place over a tile that
// lies in L1, and, where slope is given (backward, laid out as s), slope *= f'(s). A bias leaves
// the slope alone. Called from many threads; the context must outlive backward.
struct ScorePass {
  void (*apply)(const void* context, const ScoreTile& tile, float* slope) = nullptr;
  const void* context = nullptr;
  bool hides = false;  // may make a score -inf, which hides the pair
};

// Query i stands at position p = query_offset + i. It sees key j if all of these hold: j <= p
// (causal), |p - j| < window (if not 0), j >= segment_start[b, i] (if given).
struct AttentionArgs {
  static constexpr int kMaxPasses = 4;

  float scale = 1.0f;
  bool causal = true;
  int64_t window = 0;
  int64_t query_offset = 0;
  Tensor segment_start;                        // i32 [b, tq], or empty
  float dropout = 0.0f;                        // share of weights dropped, the rest scaled up
  const StepState* step = nullptr;             // read for dropout; must outlive backward
  uint64_t stream = 0;                         // Philox stream of this site
  std::array<ScorePass, kMaxPasses> passes{};  // in order, up to the first without a function
  AttentionProbe* probe = nullptr;             // filled where given: scores before the passes

  // A logit of each head that is in the softmax's denominator only, f32 [heads] or empty: the
  // weights of a row sum to less than 1. Zeros: exp(s) / (1 + sum exp(s)), "off by one".
  Var sink;
  // theta of each head (f32 [heads]) or of all (f32 [1]), or empty: scores are scale * exp(theta) *
  // q k.
  Var log_scale;
  // f32 [heads, kDistancePad + n + kDistancePad] or empty: entry kDistancePad + d of a head's row
  // is added to the scores of pairs with p - j = d, after the passes. Causal only; n > any d.
  Var distance_bias;
  // A term of the scores from the distance and the query (Transformer-XL, Dai et al., arXiv
  // 1901.02860): scale * exp(theta) * distance_query_i . distance_key_{p - j}, added before the
  // passes. Queries as q; keys [n, heads, head_dim] contiguous, n > any distance; both of q's
  // dtype, or empty. Causal only.
  Var distance_query, distance_key;
  // Weights stretched and cut after the softmax: clip((high - low) p + low, 0, 1) (Bondarenko et
  // al., arXiv 2306.12929). high >= 1, low <= 0; 1 and 0 change nothing.
  float clip_high = 1.0f, clip_low = 0.0f;
  // A term of the loss that keeps weights spread out, returned as Attention::penalty unless
  // entropy_weight is 0: entropy_weight * step->loss_scale (1 without a step) * the sum over rows
  // (sequence, head, query that sees n > 1 keys) of max(0, entropy_floor - H / ln n), H the entropy
  // in nats of a row's weights before dropout. With the weights p = softmax(s) its gradient is
  // dL/ds_j = factor / ln n p_j (ln p_j + H) in rows below the floor. Not with a sink or a clip.
  float entropy_weight = 0.0f, entropy_floor = 0.0f;
  bool clips() const { return clip_high != 1.0f || clip_low != 0.0f; }
};
constexpr int64_t kDistancePad = 64;

struct Attention {
  Var o;       // [b, tq, heads, hd], contiguous, dtype of q
  Tensor lse;  // f32 [b, heads, tq]: log of the sum of exp(score); -inf where no key is visible
  Var penalty = {};  // f32 [1], or empty: see entropy_weight
};

// q [b, tq, heads, hd], k and v [b, tk, kv_heads, hd]: one dtype (f32 or bf16), any strides, last
// axis contiguous. A query that sees no key gives 0. Throws ShapeError naming the argument and the
// shapes, ConfigError for a dropout outside [0, 1), a negative window or offset, and so on.
// The probe's logits are the scores of the visible pairs with scale and log_scale in them, before
// passes, bias and sink; its entropy is that of the weights of the keys, made to sum to 1 and not
// clipped.
Attention attention(const Var& q, const Var& k, const Var& v, const AttentionArgs& args);

namespace kernel {
struct AttentionFwd {
  Tensor q, k, v, o, lse;
  AttentionArgs args;
  Tensor stats;  // f32 [b, heads, query tiles, kStats, or kStatsWithRms where the probe wants it]:
                 // largest |score|, sum of entropies, rows; sum of score^2, pairs; or empty
  // f32 [b, heads, tq]: of each row, over the logarithm of how many keys it sees; infinite where
  // that is fewer than two; or empty.
  Tensor row_entropy = {};
};
// What entropy_weight says, from the entropies; in a fixed order.
struct EntropyPenalty {
  Tensor row_entropy;
  AttentionArgs args;
  Tensor y;  // f32 [1]
};
struct AttentionBwd {
  Tensor dy, q, k, v, o, lse;
  Grad dq, dk, dv;
  AttentionArgs args;
  int64_t splits;  // units that share the gradient of one key head: attention_splits()
  Tensor partial;  // f32 [2 b kv_heads, splits, tk, head_dim padded]; empty for one split
  Grad dsink, dlog_scale, ddistance_bias;
  Tensor row_partial;   // f32 [2, b, heads, query tiles]: sums of dsink, dlog_scale; or empty
  Tensor bias_partial;  // f32 [b splits, heads, row of distance_bias], or empty
  Grad ddistance_query, ddistance_key;
  Tensor key_partial;  // f32 [b splits, heads, n, head_dim padded]: sums of ddistance_key; or empty
  Tensor row_entropy, dpenalty;  // of AttentionFwd; f32 [1]; both empty without a penalty
};
constexpr int64_t kStats = 3, kStatsWithRms = 5;
constexpr int64_t kQueryTile = 64;
constexpr int64_t kHeadPad = 16;  // head_dim is padded to a multiple of it in working memory

// A function of the shape alone, so that the sums have the same bits on any number of threads.
int64_t attention_splits(int64_t batch, int64_t kv_heads, int64_t group, int64_t tq);

void attention_fwd(Cpu&, const AttentionFwd&);
void attention_bwd(Cpu&, const AttentionBwd&);
void entropy_penalty(Cpu&, const EntropyPenalty&);
}  // namespace kernel

}  // namespace keel
