#include "ops/lion.h"
#include "ops/lion_math.h"
#include "ops/update_cpu.h"

namespace keel::kernel {

void lion(Cpu&, const Lion& a) {
  if (a.state->skip) return;
  ++*a.updates.data<int32_t>();
  const LionScalars s{a.state->clip_coefficient, static_cast<float>(1 - a.beta1),
                      static_cast<float>(1 - a.beta2)};
  for_parts(a.parts, [&](const UpdatePart& p) {
    const Vec shrink(kept_weight(*a.state, a.weight_decay, a.independent, p.rate, p.decay)),
        step(a.state->rate * p.rate);
    for_lanes(p.size, [&](int64_t i, int n) {
      Vec m = load_n(p.m + i, n);
      const Vec u = lion_direction(load_n(p.grad + i, n), m, s);
      store_n(p.m + i, m, n);
      store_weight(p, i, load_n(p.weight + i, n) * shrink - step * u, n);
    });
  });
}

}  // namespace keel::kernel
