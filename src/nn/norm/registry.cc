#include "nn/norm/layer.h"
#include "nn/norm/rms.h"
#include "ops/add.h"

namespace keel {

AddNorm Norm::add_forward(const Var& x, const Var& branch, DType out) const {
  Var sum = add(x, branch);
  return {sum, forward(sum, out)};
}

// THE list of norms.
const Registry<Norm, const NormArgs&>& norms() {
  using R = Registry<Norm, const NormArgs&>;
  static const R r{"norm",
                   {R::entry<RmsNorm>("rms", "root mean square, gain (arXiv 1910.07467)"),
                    R::entry<LayerNorm>("layer", "mean and variance, gain and bias")}};
  return r;
}

}  // namespace keel
