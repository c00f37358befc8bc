#include <algorithm>
#include <cmath>

#include "backend/vec.h"
#include "core/parallel.h"
#include "ops/adagc.h"

namespace keel::kernel {
namespace {

// The tensor's new average; `norm` is what the gradient has left after the clip.
float least(float average, double norm) {
  if (norm == 0) return average;
  const float x = static_cast<float>(norm);
  return average == 0 ? x : std::min(average, x);
}

// The scale of each tensor from the squares of its parts.
void tensor_scales(const AdaGc& a, bool warming) {
  const double* squares = a.squares.data<double>();
  float *average = a.average.data<float>(), *scale = a.scale.data<float>();
  const double global = static_cast<double>(a.state->clip_coefficient);
  size_t i = 0;
  for (int64_t t = 0; t < a.average.size(); ++t) {
    double sum = 0;
    for (; i < a.parts.size() && a.parts[i].tensor == t; ++i) sum += squares[i];
    const double norm = std::sqrt(sum);
    scale[t] = 1;
    if (warming) {
      average[t] = least(average[t], global * norm);
      continue;
    }
    const double usual = std::max(static_cast<double>(average[t]), a.floor);
    const double most = a.relative * usual;
    if (norm > most) scale[t] = static_cast<float>(most / norm);
    average[t] = static_cast<float>(a.beta * usual + (1 - a.beta) * std::min(norm, most));
  }
}

}  // namespace

void adagc(Cpu&, const AdaGc& a) {
  StepState& s = *a.state;
  if (s.skip) return;
  int32_t& seen = *a.seen.data<int32_t>();
  const bool warming = seen < a.warmup;
  s.clip_coefficient = 1;
  if (warming) {
    ++seen;
    if (a.norm > 0) {
      s.clip_coefficient = static_cast<float>(std::min(1.0, a.norm / (s.grad_norm + 1e-6)));
    }
  }
  tensor_scales(a, warming);
  const float* scale = a.scale.data<float>();
  const AdaGcPart* parts = a.parts.data();
  parallel_for(static_cast<int64_t>(a.parts.size()), [&](int64_t i) {
    const AdaGcPart& p = parts[i];
    const Vec h(scale[p.tensor]);
    if (scale[p.tensor] == 1) return;
    for_lanes(p.size, [&](int64_t k, int n) { store_n(p.grad + k, load_n(p.grad + k, n) * h, n); });
  });
}

}  // namespace keel::kernel
