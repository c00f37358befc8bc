// QK-clip (Kimi K2 report, arXiv 2507.20534, section 2.1): after the optimizer's step, a head whose
// largest |logit| S of that step was above tau has its query and key weights multiplied by
// sqrt(tau / S) each, so that on the same inputs its largest logit is tau. Biases of queries and
// keys are scaled with their weights. Query heads that share a key head (GQA) are scaled together,
// by the largest logit among them, as Megatron does it.
#pragma once

#include <cstdint>
#include <span>

#include "core/device.h"
#include "core/dtype.h"
#include "core/step_state.h"

namespace keel::kernel {

// The values of head h are [h * per_head, (h + 1) * per_head).
struct QkClipTensor {
  float* weight;  // null: absent
  bf16* copy;     // null: none
  int64_t per_head;
};
struct QkClipLayer {
  QkClipTensor q, k, q_bias, k_bias;
  const float* logit_max;  // [heads] of this step
};

struct QkClip {
  std::span<const QkClipLayer> layers;
  int64_t heads, kv_heads;
  double tau;
  const StepState* state;  // skip
};
void qk_clip(Cpu&, const QkClip&);

}  // namespace keel::kernel
