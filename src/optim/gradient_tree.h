// Sums the gradients of k numbered micro-batches as a binary tree over their numbers, so that the
// bits depend on k alone and not on how the micro-batches are spread over ranks. The first half is
// the largest power of two below k, the second half the rest, each summed in the same way:
//   k = 4: (g0 + g1) + (g2 + g3)      k = 3: (g0 + g1) + g2      k = 6: ((g0+g1)+(g2+g3)) + (g4+g5)
// A binary counter needs one buffer for each level: ceil(log2 k), none for k = 1.
#pragma once

#include <cstdint>
#include <vector>

#include "core/tensor.h"

namespace keel {

class GradientTree {
 public:
  // `gradients` f32, contiguous: where every micro-batch leaves its gradient, all parameters in one
  // flat buffer; k >= 1 micro-batches make a step. Throws ShapeError, MemoryError.
  GradientTree(const Tensor& gradients, int64_t k);

  // Begins a step of k micro-batches, at most as many as the constructor was told; forgets the step
  // under way.
  void begin(int64_t k) {
    k_ = k;
    taken_ = 0;
  }
  // Takes the next micro-batch's gradient. After the k-th the sum of all k is in `gradients`, and
  // the next call begins the next step.
  void add();
  // Micro-batches taken of the step under way, in [0, k).
  int64_t taken() const { return taken_; }
  // Forgets the step under way.
  void reset() { taken_ = 0; }

 private:
  Tensor gradients_;
  int64_t k_;
  int64_t taken_ = 0;
  std::vector<Tensor> levels_;
};

}  // namespace keel
