#include <limits>

#include "ops/adamw_math.h"
#include "ops/stable_adamw.h"
#include "ops/update_cpu.h"

namespace keel::kernel {
namespace {

// The sum of g^2 / max(v_hat, eps^2), and the second moment.
double first_pass(const UpdatePart& p, const AdamWScalars& s) {
  const Vec correction(s.root_correction * s.root_correction);
  // 0 / 0 where a gradient was never anything but 0.
  const Vec least(std::max(s.eps * s.eps, std::numeric_limits<float>::min()));
  return sum_lanes(p.size, [&](int64_t i, int n) {
    const Vec g = load_n(p.grad + i, n) * Vec(s.gradient);
    const Vec square = g * g;
    const Vec v = fma(square, Vec(s.keep2), load_n(p.v + i, n) * Vec(s.beta2));
    store_n(p.v + i, v, n);
    return square / max(v * correction, least);
  });
}

void second_pass(const UpdatePart& p, float kept, float scale, const AdamWScalars& s) {
  const Vec shrink(kept), step(s.step * p.rate * scale);
  for_lanes(p.size, [&](int64_t i, int n) {
    const Vec m0 = load_n(p.m + i, n), g = load_n(p.grad + i, n) * Vec(s.gradient);
    const Vec m = fma(g - m0, Vec(s.keep1), m0);
    store_n(p.m + i, m, n);
    const Vec u = adamw_direction(m, load_n(p.v + i, n), s);
    store_weight(p, i, load_n(p.weight + i, n) * shrink - step * u, n);
  });
}

}  // namespace

void stable_adamw(Cpu&, const StableAdamW& a) {
  if (a.state->skip) return;
  int32_t& updates = *a.updates.data<int32_t>();
  ++updates;
  const AdamWScalars s = adamw_scalars(*a.state, a.beta1, a.beta2, a.eps, updates);
  scale_tensors(
      a.parts, a.sums, [&](const UpdatePart& p) { return first_pass(p, s); },
      [](double sum, double n) { return update_clip(std::sqrt(sum / n), 1); });
  for_scaled_parts(a.parts, a.sums, [&](const UpdatePart& p, float scale) {
    const double rate = a.independent ? 1 : static_cast<double>(p.rate) * scale;
    second_pass(p, kept_weight(*a.state, a.weight_decay, a.independent, rate, p.decay), scale, s);
  });
}

}  // namespace keel::kernel
