#include "nn/linear/plain.h"
#include "nn/linear/sigma_reparam.h"
#include "nn/linear/weight_norm.h"

namespace keel {

ParameterRef add_weights(const LinearArgs& a) {
  std::vector<Parameters::Part> parts;
  for (const LinearPart& p : a.parts) {
    parts.push_back({p.name + ".weight", {p.out, a.in}, p.role, {}, p.factor});
  }
  return a.parameters.add_stack(parts);
}

// THE list of weights of linears.
const Registry<LinearWeight, const LinearArgs&>& linears() {
  using R = Registry<LinearWeight, const LinearArgs&>;
  static const R r{"linear",
                   {R::entry<PlainLinear>("plain", "the weight as it is"),
                    R::entry<SigmaReparamLinear>(
                        "sigma_reparam", "gamma / sigma(W) W, sigma the largest singular value"),
                    R::entry<WeightNormLinear>("weight_norm", "g v / |v| for each output row")}};
  return r;
}

}  // namespace keel
