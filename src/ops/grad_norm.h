// The global norm of gradients, clipping by it (Pascanu et al., arXiv 1211.5063, as PyTorch's
// clip_grad_norm_ does it), and the fixed-order sum of micro-batch gradients.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/device.h"
#include "core/step_state.h"
#include "core/tensor.h"

namespace keel {

// Prepared once for a set of gradients; compute() allocates nothing.
class GradNorm {
 public:
  // f32, contiguous, all on one device; one flat buffer is a set of one. Throws ShapeError.
  explicit GradNorm(std::span<const Tensor> grads);

  // Writes, where `state` lives: grad_norm = sqrt(sum of squares), summed in f64;
  // clip_coefficient = min(1, clip / (norm + 1e-6)), or 1 when clip is 0 (off). When the norm is
  // not finite the coefficient is 1 and nonfinite and skip are set; they are never cleared here.
  void compute(float clip, StepState* state) const;

 private:
  struct Part {
    const float* data;
    int64_t size;
  };
  std::vector<Tensor> grads_;  // keep the memory alive
  std::vector<Part> parts_;
  Tensor partial_;  // one f64 for each part
  DeviceKind device_ = DeviceKind::kCpu;
};

namespace kernel {
constexpr int64_t kGradNormPart = 1 << 16;  // elements summed by one thread, fixed by definition
// Sum of squares of x[0 .. size) in f64.
double sum_of_squares(const float* x, int64_t size);
}  // namespace kernel

}  // namespace keel
