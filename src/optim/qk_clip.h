// QK-clip after any optimizer's step (ops/qk_clip.h): remembers each head's largest logit over the
// micro-batches of a step, then scales the weights.
#pragma once

#include <vector>

#include "core/probes.h"
#include "ops/qk_clip.h"
#include "optim/param.h"

namespace keel {

class QkClip {
 public:
  // Query and key weights of a layer, [heads * head_dim, dim] and [kv_heads * head_dim, dim];
  // null: absent.
  struct Layer {
    const Param *q = nullptr, *k = nullptr, *q_bias = nullptr, *k_bias = nullptr;
  };
  // tau > 0.
  QkClip(double tau, int64_t heads, int64_t kv_heads, const std::vector<Layer>& layers);

  // Of a new step: nothing was seen.
  void begin();
  // After a micro-batch whose probes were filled.
  void note(const Probes& probes);
  // After the optimizer's step. Does nothing where that was skipped.
  void apply(const StepState* state) const;

 private:
  double tau_;
  int64_t heads_, kv_heads_;
  DeviceKind device_ = DeviceKind::kCpu;  // of the weights
  std::vector<float> largest_;            // [layers, heads]
  std::vector<kernel::QkClipLayer> layers_;
};

}  // namespace keel
