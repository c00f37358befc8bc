#include "ops/muon.h"
#include "ops/update_cpu.h"

namespace keel::kernel {

void muon_momentum(Cpu&, const MuonMomentum& a) {
  if (a.state->skip) return;
  const float* grad = a.grad.data<float>();
  float *momentum = a.m.data<float>(), *x = a.x.data<float>();
  double* partial = a.partial.data<double>();
  const Vec clip(a.state->clip_coefficient), keep(static_cast<float>(1 - a.momentum));
  const int64_t size = a.grad.size();
  parallel_ranges(size, kUpdatePart, [&](int64_t begin, int64_t end) {
    partial[begin / kUpdatePart] = sum_lanes(end - begin, [&](int64_t i, int n) {
      const int64_t at = begin + i;
      const Vec g = load_n(grad + at, n) * clip, before = load_n(momentum + at, n);
      const Vec m = fma(g - before, keep, before);
      store_n(momentum + at, m, n);
      const Vec u = a.nesterov ? fma(g - m, keep, m) : m;
      store_n(x + at, u, n);
      return u * u;
    });
  });
  double sum = 0;
  for (int64_t i = 0; i * kUpdatePart < size; ++i) sum += partial[i];
  const Vec scale(static_cast<float>(1 / (std::sqrt(sum) + 1e-7)));
  parallel_ranges(size, kUpdatePart, [&](int64_t begin, int64_t end) {
    for_lanes(end - begin, [&](int64_t i, int n) {
      store_n(x + begin + i, load_n(x + begin + i, n) * scale, n);
    });
  });
}

void muon_apply(Cpu&, const MuonApply& a) {
  if (a.state->skip) return;
  const float* x = a.x.data<float>();
  float* weight = a.weight.data<float>();
  bf16* copy = a.copy ? a.copy.data<bf16>() : nullptr;
  const Vec shrink(kept_weight(*a.state, a.weight_decay, a.independent, a.rate, a.decay)),
      step(static_cast<float>(static_cast<double>(a.state->rate) * a.rate * a.scale));
  parallel_ranges(a.weight.size(), kUpdatePart, [&](int64_t begin, int64_t end) {
    for_lanes(end - begin, [&](int64_t i, int n) {
      const int64_t at = begin + i;
      const Vec w = load_n(weight + at, n) * shrink - step * load_n(x + at, n);
      store_n(weight + at, w, n);
      if (copy) store_n(copy + at, w, n);
    });
  });
}

}  // namespace keel::kernel
