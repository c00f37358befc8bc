// AdaGC (Wang et al., arXiv 2502.11034): each tensor's gradient norm is held at `relative` times an
// exponential average of its own (clipped) norms: h = min(1, relative * average / norm), average =
// beta * average + (1 - beta) * h * norm. In the first `warmup` steps the global norm is held at
// `norm` and the average is the least norm so far. The average is at least `floor`: a tensor whose
// gradient was 0 for a while could not move again.
#pragma once

#include <cstdint>
#include <span>

#include "core/device.h"
#include "core/step_state.h"
#include "core/tensor.h"

namespace keel::kernel {

// A piece of a tensor's gradient.
struct AdaGcPart {
  float* grad;
  int64_t size;
  int64_t tensor;
};

struct AdaGc {
  std::span<const AdaGcPart> parts;
  Tensor squares;  // f64 for each part: the sum of its squares
  Tensor average;  // f32 [tensors]; 0: none yet
  Tensor scale;    // f32 [tensors] working memory
  Tensor seen;     // i32 [1]: steps taken, up to warmup
  double relative, beta, floor, norm;
  int64_t warmup;
  StepState* state;  // reads grad_norm and skip, writes clip_coefficient
};
// Gradients are scaled in place, by the tensor; in the warm-up by clip_coefficient.
void adagc(Cpu&, const AdaGc&);

}  // namespace keel::kernel
