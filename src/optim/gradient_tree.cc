#include "optim/gradient_tree.h"

#include <fmt/format.h>

#include "core/error.h"
#include "ops/gradient_sum.h"

namespace keel {

GradientTree::GradientTree(const Tensor& gradients, int64_t k) : gradients_(gradients), k_(k) {
  if (k < 1) throw ShapeError(fmt::format("gradient_tree: {} micro-batches, must be 1 or more", k));
  if (gradients.dtype() != DType::kF32 || !gradients.contiguous()) {
    throw ShapeError(fmt::format("gradient_tree: gradients are {} {}, must be contiguous f32",
                                 name_of(gradients.dtype()), gradients.shape().str()));
  }
  for (int64_t done = 1; done < k; done *= 2) {
    levels_.push_back(persistent(gradients.shape(), DType::kF32, gradients.device(),
                                 "sums of micro-batch gradients"));
  }
}

// levels_[l] holds a sum of 2^l gradients whenever bit l of taken_ is set.
void GradientTree::add() {
  kernel::GradientSum sum{};
  const bool last = taken_ + 1 == k_;
  size_t level = 0;
  for (; level < levels_.size(); ++level) {
    const bool held = taken_ >> level & 1;
    if (held) sum.x[static_cast<size_t>(sum.count++)] = levels_[level].data<float>();
    if (!held && !last) break;
  }
  taken_ = last ? 0 : taken_ + 1;
  if (last && sum.count == 0) return;
  sum.tail = gradients_.data<float>();
  sum.out = last ? gradients_.data<float>() : levels_[level].data<float>();
  sum.size = gradients_.size();
  on_device(gradients_, [&](auto& dev) { kernel::gradient_sum(dev, sum); });
}

}  // namespace keel
