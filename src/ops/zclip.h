// ZClip (Kumar et al., arXiv 2504.02507; bluorion-com/ZClip): with the mean and variance of the
// global gradient norm, averaged exponentially, z = (norm - mean) / (deviation + 1e-6). Above a
// threshold the norm is an outlier and cut down to
//   adaptive    factor * (mean + threshold^2 / z * deviation)
//   mean        the mean
//   percentile  mean + threshold * deviation (above it, whatever z)
// and the averages take the value it was cut down to; the variance uses the new mean. The first
// `warmup` norms make the first mean and variance and are held at `norm` alone, as later ones are
// besides.
#pragma once

#include <cstdint>

#include "core/device.h"
#include "core/step_state.h"
#include "core/tensor.h"

namespace keel::kernel {

enum class ZClipMode { kAdaptive, kMean, kPercentile };

struct ZClip {
  Tensor mean, variance;  // f32 [1]
  Tensor seen;            // i32 [1]: norms taken, up to warmup
  double alpha, threshold, factor;
  double norm;  // 0: no bound
  int64_t warmup;
  ZClipMode mode;
  StepState* state;  // reads grad_norm and skip, writes clip_coefficient
};
void zclip(Cpu&, const ZClip&);

}  // namespace keel::kernel
