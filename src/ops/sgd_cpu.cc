#include "ops/sgd.h"
#include "ops/sgd_math.h"
#include "ops/update_cpu.h"

namespace keel::kernel {
namespace {

SgdScalars scalars(const Sgd& a, const UpdatePart& p) {
  const bool coupled = a.decay == SgdDecay::kCoupled;
  return {a.state->clip_coefficient, static_cast<float>(momentum_in_force(*a.state, a.momentum)),
          coupled ? static_cast<float>(a.weight_decay * static_cast<double>(p.decay)) : 0.0f,
          a.nesterov};
}

float kept(const Sgd& a, const UpdatePart& p) {
  if (a.decay == SgdDecay::kCoupled) return 1;
  return kept_weight(*a.state, a.weight_decay, a.decay == SgdDecay::kIndependent, p.rate, p.decay);
}

template <bool kMomentum>
void update(const Sgd& a, const UpdatePart& p) {
  const SgdScalars s = scalars(a, p);
  const Vec shrink(kept(a, p)), step(a.state->rate * p.rate);
  for_lanes(p.size, [&](int64_t i, int n) {
    const Vec w = load_n(p.weight + i, n);
    Vec g = load_n(p.grad + i, n);
    const Vec m = sgd_momentum(w, g, kMomentum ? load_n(p.m + i, n) : Vec(0.0f), s);
    if constexpr (kMomentum) store_n(p.m + i, m, n);
    store_weight(p, i, w * shrink - step * sgd_direction(g, m, s), n);
  });
}

// The sum of squares of the update, and the momentum.
double first_pass(const Sgd& a, const UpdatePart& p) {
  const SgdScalars s = scalars(a, p);
  return sum_lanes(p.size, [&](int64_t i, int n) {
    Vec g = load_n(p.grad + i, n);
    const Vec m = sgd_momentum(load_n(p.weight + i, n), g, p.m ? load_n(p.m + i, n) : Vec(0.0f), s);
    if (p.m) store_n(p.m + i, m, n);
    const Vec u = sgd_direction(g, m, s);
    return u * u;
  });
}

void second_pass(const Sgd& a, const UpdatePart& p, float scale) {
  const SgdScalars s = scalars(a, p);
  const Vec shrink(kept(a, p)), step(a.state->rate * p.rate * scale);
  for_lanes(p.size, [&](int64_t i, int n) {
    const Vec w = load_n(p.weight + i, n);
    Vec g = load_n(p.grad + i, n);
    const Vec plain = sgd_momentum(w, g, Vec(0.0f), s);
    const Vec u = sgd_direction(g, p.m ? load_n(p.m + i, n) : plain, s);
    store_weight(p, i, w * shrink - step * u, n);
  });
}

}  // namespace

void sgd(Cpu&, const Sgd& a) {
  if (a.state->skip) return;
  ++*a.updates.data<int32_t>();
  if (a.update_clip > 0) {
    scale_tensors(
        a.parts, a.sums, [&](const UpdatePart& p) { return first_pass(a, p); },
        [&](double sum, double n) { return update_clip(std::sqrt(sum / n), a.update_clip); });
    for_scaled_parts(a.parts, a.sums,
                     [&](const UpdatePart& p, float scale) { second_pass(a, p, scale); });
    return;
  }
  for_parts(a.parts, [&](const UpdatePart& p) {
    if (p.m)
      update<true>(a, p);
    else
      update<false>(a, p);
  });
}

}  // namespace keel::kernel
