#include <algorithm>
#include <cmath>

#include "backend/vec.h"
#include "core/parallel.h"
#include "ops/qk_clip.h"

namespace keel::kernel {
namespace {

void scale_head(const QkClipTensor& t, int64_t head, float factor) {
  if (!t.weight) return;
  float* w = t.weight + head * t.per_head;
  for_lanes(t.per_head, [&](int64_t i, int n) {
    const Vec x = load_n(w + i, n) * Vec(factor);
    store_n(w + i, x, n);
    if (t.copy) store_n(t.copy + head * t.per_head + i, x, n);
  });
}

}  // namespace

void qk_clip(Cpu&, const QkClip& a) {
  if (a.state->skip) return;
  const QkClipLayer* layers = a.layers.data();
  const int64_t group = a.heads / a.kv_heads;
  parallel_for(static_cast<int64_t>(a.layers.size()) * a.kv_heads, [&](int64_t i) {
    const QkClipLayer& layer = layers[i / a.kv_heads];
    const int64_t key_head = i % a.kv_heads, first = key_head * group;
    const double largest = static_cast<double>(
        *std::max_element(layer.logit_max + first, layer.logit_max + first + group));
    if (!(largest > a.tau) || !std::isfinite(largest)) return;
    const auto factor = static_cast<float>(std::sqrt(a.tau / largest));
    scale_head(layer.k, key_head, factor);
    scale_head(layer.k_bias, key_head, factor);
    for (int64_t h = first; h < first + group; ++h) {
      scale_head(layer.q, h, factor);
      scale_head(layer.q_bias, h, factor);
    }
  });
}

}  // namespace keel::kernel
