#include "optim/qk_clip.h"

#include <algorithm>

namespace keel {
namespace {

kernel::QkClipTensor tensor_of(const Param* p, int64_t heads) {
  if (!p) return {};
  return {p->weight.data<float>(), p->copy ? p->copy.data<bf16>() : nullptr,
          p->weight.size() / heads};
}

}  // namespace

QkClip::QkClip(double tau, int64_t heads, int64_t kv_heads, const std::vector<Layer>& layers)
    : tau_(tau),
      heads_(heads),
      kv_heads_(kv_heads),
      largest_(layers.size() * static_cast<size_t>(heads)) {
  for (size_t i = 0; i < layers.size(); ++i) {
    const Layer& l = layers[i];
    if (l.q) device_ = l.q->weight.device();
    layers_.push_back({tensor_of(l.q, heads), tensor_of(l.k, kv_heads), tensor_of(l.q_bias, heads),
                       tensor_of(l.k_bias, kv_heads),
                       largest_.data() + i * static_cast<size_t>(heads)});
  }
}

void QkClip::begin() { std::fill(largest_.begin(), largest_.end(), 0.0f); }

void QkClip::note(const Probes& probes) {
  float* at = largest_.data();
  for (const AttentionProbe& p : probes.attention) {
    for (size_t h = 0; h < static_cast<size_t>(heads_); ++h, ++at) {
      *at = std::max(*at, p.logit_max[h]);
    }
  }
}

void QkClip::apply(const StepState* state) const {
  on_device(device_, [&](auto& dev) {
    kernel::qk_clip(dev, {layers_, heads_, kv_heads_, tau_, state});
  });
}

}  // namespace keel
