#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/zclip.h"

namespace keel::kernel {
namespace {

constexpr double kNoBound = std::numeric_limits<double>::infinity();

// What the norm is cut down to; infinity for a norm like the others.
double bound_of(const ZClip& a, double norm, double mean, double deviation) {
  if (a.mode == ZClipMode::kPercentile) {
    const double most = mean + a.threshold * deviation;
    return norm > most ? most : kNoBound;
  }
  const double z = (norm - mean) / (deviation + 1e-6);
  if (!(z > a.threshold)) return kNoBound;
  if (a.mode == ZClipMode::kMean) return mean;
  return a.factor * (mean + a.threshold * a.threshold / z * deviation);
}

}  // namespace

void zclip(Cpu&, const ZClip& a) {
  StepState& s = *a.state;
  if (s.skip) return;
  float &mean = *a.mean.data<float>(), &variance = *a.variance.data<float>();
  int32_t& seen = *a.seen.data<int32_t>();
  const double norm = s.grad_norm, m = static_cast<double>(mean), v = static_cast<double>(variance);
  double bound = kNoBound;
  if (seen < a.warmup) {
    // Mean and variance of all norms so far (Welford, 1962).
    ++seen;
    const double share = 1.0 / seen, off = norm - m;
    mean = static_cast<float>(m + share * off);
    variance = static_cast<float>((1 - share) * (v + share * off * off));
  } else {
    bound = bound_of(a, norm, m, std::sqrt(v));
    const double taken = std::min(norm, bound);
    const double next = a.alpha * m + (1 - a.alpha) * taken;
    mean = static_cast<float>(next);
    variance = static_cast<float>(a.alpha * v + (1 - a.alpha) * (taken - next) * (taken - next));
  }
  if (a.norm > 0) bound = std::min(bound, a.norm);
  s.clip_coefficient =
      norm > bound ? static_cast<float>(std::min(1.0, bound / (norm + 1e-6))) : 1.0f;
}

}  // namespace keel::kernel
