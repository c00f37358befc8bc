#include "nn/norm/batch.h"
#include "nn/norm/dynamic_tanh.h"
#include "nn/norm/layer.h"
#include "nn/norm/partial_rms.h"
#include "nn/norm/rms.h"
#include "nn/norm/unit.h"
#include "ops/blend.h"

namespace keel {

AddNorm Norm::add_forward(const Var& x, const Var& branch, DType out) const {
  return scaled_add_forward(x, 1.0f, branch, out);
}

AddNorm Norm::scaled_add_forward(const Var& x, float factor, const Var& branch, DType out) const {
  Var sum = blend(x, factor, branch, 1.0f);
  return {sum, forward(sum, out)};
}

// THE list of norms.
const Registry<Norm, const NormArgs&>& norms() {
  using R = Registry<Norm, const NormArgs&>;
  static const R r{
      "norm",
      {R::entry<RmsNorm>("rms", "root mean square, gain (arXiv 1910.07467)"),
       R::entry<LayerNorm>("layer", "mean and variance, gain and bias"),
       R::entry<PartialRmsNorm>("prms", "root mean square of the first 6.25 % of the values"),
       R::entry<UnitNorm>("l2", "unit length times sqrt(dim)"),
       R::entry<DynamicTanh>("dyt", "tanh(alpha x), no statistics (arXiv 2503.10622)"),
       R::entry<BatchNorm>("batch",
                           "negative control: depends on the batch and, in training, leaks the "
                           "future into a causal model")}};
  return r;
}

}  // namespace keel
