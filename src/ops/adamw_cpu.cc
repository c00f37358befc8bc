#include "backend/vec.h"
#include "core/parallel.h"
#include "ops/adamw.h"
#include "ops/adamw_math.h"

namespace keel::kernel {
namespace {

template <bool kCopy>
void update(const AdamWPart& p, const AdamWScalars& s) {
  const Vec shrink(p.decay ? s.shrink : 1.0f);
  for_lanes(p.size, [&](int64_t i, int n) {
    Vec w = load_n(p.weight + i, n), m = load_n(p.m + i, n), v = load_n(p.v + i, n);
    adamw_update(w, load_n(p.grad + i, n), m, v, shrink, s);
    store_n(p.weight + i, w, n);
    store_n(p.m + i, m, n);
    store_n(p.v + i, v, n);
    if constexpr (kCopy) store_n(p.copy + i, w, n);
  });
}

}  // namespace

void adamw(Cpu&, const AdamW& a) {
  if (a.state->skip) return;
  int32_t& updates = *a.updates.data<int32_t>();
  ++updates;
  const AdamWScalars s =
      adamw_scalars(*a.state, a.beta1, a.beta2, a.eps, a.weight_decay, a.independent, updates);
  const AdamWPart* parts = a.parts.data();
  parallel_for(static_cast<int64_t>(a.parts.size()), [&](int64_t i) {
    if (parts[i].copy)
      update<true>(parts[i], s);
    else
      update<false>(parts[i], s);
  });
}

}  // namespace keel::kernel
