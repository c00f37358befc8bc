// The global norm of gradients, and the clip coefficient from it (Pascanu et al., arXiv 1211.5063;
// the numbers of PyTorch's clip_grad_norm_).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/device.h"
#include "core/step_state.h"
#include "core/tensor.h"

namespace keel {

namespace kernel {
// Memory whose squares one thread sums: at most kGradNormPart elements.
struct GradNormPart {
  const float* data;
  int64_t size;
};
constexpr int64_t kGradNormPart = 1 << 16;

struct GradNorm {
  std::span<const GradNormPart> parts;  // on the device
  Tensor partial;                       // memory of one f64 for each part
  float clip;
  StepState* state;
};
void grad_norm(Cpu&, const GradNorm&);
}  // namespace kernel

// Prepared once for a set of gradients; compute() allocates nothing.
class GradNorm {
 public:
  // f32, contiguous, all on one device; one flat buffer is a set of one. Throws ShapeError.
  explicit GradNorm(std::span<const Tensor> grads);

  // Writes, where `state` lives: grad_norm = sqrt(sum of squares), summed in f64 in a fixed tree;
  // clip_coefficient = min(1, clip / (norm + 1e-6)), or 1 when clip is 0 (off). When the norm is
  // not finite the coefficient is 1 and nonfinite and skip are set; they are never cleared here.
  void compute(float clip, StepState* state) const;
  // Of the last compute(): memory of one f64 for each kGradNormPart elements of each gradient in
  // turn, the sum of their squares.
  const Tensor& partial() const { return partial_; }

 private:
  std::vector<Tensor> grads_;  // keep the memory alive
  std::vector<kernel::GradNormPart> parts_;
  Tensor partial_;
};

}  // namespace keel
