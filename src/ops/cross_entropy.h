// Cross-entropy of next-token prediction, alone and with the output head inside. Row i of weight
// w_i contributes w_i * (log Z_i - logit[target_i]), Z_i = sum over the vocabulary of e^logit. The
// gradient of the logits is w_i * (softmax - onehot). Logits, softmax and losses are f32, the sum
// over rows f64 in a fixed tree.
#pragma once

#include "autograd/var.h"
#include "core/step_state.h"

namespace keel {

// What else head_loss does to the logits x and adds to the loss of a row. With z = cap tanh(scale x
// / cap) (cap 0: z = scale x) and eps = smoothing it is
//   (1 - eps) ce + eps mean over the vocabulary of (log Z - z) + z_loss (log Z)^2.
// Soft cap: Gemma 2, arXiv 2408.00118. Smoothing: Szegedy et al., arXiv 1512.00567, as PyTorch has
// it. z-loss: Chowdhery et al., arXiv 2204.02311, section 5; its gradient is 2 z_loss log Z
// softmax.
struct HeadOptions {
  float scale = 1, softcap = 0;
  float z_loss = 0, smoothing = 0;
  bool plain() const { return scale == 1 && softcap == 0 && z_loss == 0 && smoothing == 0; }
};

// `rows` is always the cross-entropy alone (of the capped logits), whatever the loss adds to it.
struct CrossEntropy {
  Var loss;           // f32 [1]: loss_scale * sum of w_i * (ce_i and what is added), in nats
  Tensor rows;        // f32 [n]: ce_i, unweighted; 0 where w_i is 0
  Tensor log_z;       // f32 [n]: log Z_i; 0 where w_i is 0
  Tensor mean_log_z;  // f32 [1]: mean of log Z_i weighted with w_i; 0 when all weights are 0
};

// logits f32 [..., v] contiguous, n rows; targets i32 of n elements, each in [0, v); weights f32 of
// n elements, or empty: all 1. A row of weight 0 is not looked at, neither its target nor its
// logits, and its gradient is 0. loss_scale is state->loss_scale, read by the kernels, or 1 without
// a state. Throws ShapeError; DataError for a target outside the vocabulary: position, id, size.
CrossEntropy cross_entropy(const Var& logits, const Tensor& targets, const Tensor& weights,
                           const StepState* state);

// The same for logits = x weight^T + bias, of which only a chunk of rows exists at a time: x
// [..., c] and weight [v, c], both f32 or both bf16; bias f32 [v], or empty. A chunk has chunk_rows
// rows (0: head_chunk_rows(), by the shape).
//
// One chunk: the gradients of x and weight are made in backward, as everywhere. More chunks, and a
// gradient is wanted: each chunk's logits become their gradient, and this is multiplied into the
// gradients of x, weight and bias at once, during the forward pass; so a parameter's gradient must
// be set to unwritten before the forward pass, not after it, and the gradient of the loss itself
// must then be 1 (a factor belongs into the weights), else backward throws ShapeError.
CrossEntropy head_loss(const Var& x, const Var& weight, const Tensor& targets,
                       const Tensor& weights, const StepState* state, int64_t chunk_rows = 0,
                       const HeadOptions& options = {}, const Var& bias = {});

// Rows of a chunk: all rows, or equal chunks of a multiple of 16 rows, so that the f32 logits of
// one take at most kHeadChunkBytes or as much as the weight, whichever is more (but never fewer
// than 16 rows): each chunk reads the weight twice and reads and writes its gradient.
constexpr int64_t kHeadChunkBytes = int64_t{64} << 20;
int64_t head_chunk_rows(int64_t rows, int64_t vocab, int64_t dim);

namespace kernel {
// Throws DataError for the first target outside [0, vocab) among rows of weight other than 0.
struct CheckTargets {
  const char* op;
  Tensor targets, weights;
  int64_t vocab;
};
// Statistics of each row, and in the same pass, while the row is in the cache, the gradient.
struct CrossEntropyFwd {
  Tensor logits, targets, weights;  // f32 [n, v]; i32 [n]; f32 [n] or empty
  Tensor rows, log_z;               // f32 [n]
  Tensor stats;    // f32 [n, 2]: largest logit, sum of e^(logit - largest); or empty
  Tensor dlogits;  // empty, or the gradient: logits itself, or bf16 [n, v] (logits are lost)
  const StepState* state;  // may be null
  HeadOptions options = {};
  Tensor objective = {};  // f32 [n]: loss of a row with all that is added; empty if options.plain()
};
// dlogits (+)= dy w_i (softmax - onehot).
struct CrossEntropyBwd {
  Tensor logits, targets, weights, stats;
  Tensor dy;  // f32 [1]
  const StepState* state;
  Grad dlogits;
};
struct CrossEntropySum {
  Tensor rows, weights, log_z;  // rows: what the loss sums up
  const StepState* state;
  Tensor loss, mean_log_z;
};
// x *= dy, unless dy is 1.
struct ScaleBy {
  Tensor x, dy;  // f32 or bf16, contiguous; f32 [1]
};
// Throws ShapeError unless dy is 1.
struct RequireOne {
  Tensor dy;  // f32 [1]
  int64_t chunks;
};
void check_targets(Cpu&, const CheckTargets&);
void cross_entropy_fwd(Cpu&, const CrossEntropyFwd&);
void cross_entropy_bwd(Cpu&, const CrossEntropyBwd&);
void cross_entropy_sum(Cpu&, const CrossEntropySum&);
void scale_by(Cpu&, const ScaleBy&);
void require_one(Cpu&, const RequireOne&);
}  // namespace kernel

}  // namespace keel
