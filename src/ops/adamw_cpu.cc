#include "ops/adamw.h"
#include "ops/adamw_math.h"
#include "ops/update_cpu.h"

namespace keel::kernel {
namespace {

template <bool kCopy>
void update(const UpdatePart& p, float kept, const AdamWScalars& s) {
  const Vec shrink(kept), step(s.step * p.rate);
  for_lanes(p.size, [&](int64_t i, int n) {
    Vec w = load_n(p.weight + i, n), m = load_n(p.m + i, n), v = load_n(p.v + i, n);
    adamw_update(w, load_n(p.grad + i, n), m, v, shrink, step, s);
    store_n(p.weight + i, w, n);
    store_n(p.m + i, m, n);
    store_n(p.v + i, v, n);
    if constexpr (kCopy) store_n(p.copy + i, w, n);
  });
}

// The sum of squares of the update, and the moments.
double first_pass(const UpdatePart& p, const AdamWScalars& s) {
  return sum_lanes(p.size, [&](int64_t i, int n) {
    Vec m = load_n(p.m + i, n), v = load_n(p.v + i, n);
    adamw_moments(load_n(p.grad + i, n), m, v, s);
    store_n(p.m + i, m, n);
    store_n(p.v + i, v, n);
    const Vec u = adamw_direction(m, v, s);
    return u * u;
  });
}

void second_pass(const UpdatePart& p, float kept, float scale, const AdamWScalars& s) {
  const Vec shrink(kept), step(s.step * p.rate * scale);
  for_lanes(p.size, [&](int64_t i, int n) {
    const Vec u = adamw_direction(load_n(p.m + i, n), load_n(p.v + i, n), s);
    store_weight(p, i, load_n(p.weight + i, n) * shrink - step * u, n);
  });
}

}  // namespace

void adamw(Cpu&, const AdamW& a) {
  if (a.state->skip) return;
  int32_t& updates = *a.updates.data<int32_t>();
  ++updates;
  const AdamWScalars s = adamw_scalars(*a.state, a.beta1, a.beta2, a.eps, updates);
  const auto kept = [&](const UpdatePart& p) {
    return kept_weight(*a.state, a.weight_decay, a.independent, p.rate, p.decay);
  };
  if (a.update_clip > 0) {
    scale_tensors(
        a.parts, a.sums, [&](const UpdatePart& p) { return first_pass(p, s); },
        [&](double sum, double n) {
          return update_clip(s.unbias * std::sqrt(sum / n), a.update_clip);
        });
    for_scaled_parts(a.parts, a.sums,
                     [&](const UpdatePart& p, float scale) { second_pass(p, kept(p), scale, s); });
    return;
  }
  for_parts(a.parts, [&](const UpdatePart& p) {
    if (p.copy)
      update<true>(p, kept(p), s);
    else
      update<false>(p, kept(p), s);
  });
}

}  // namespace keel::kernel
