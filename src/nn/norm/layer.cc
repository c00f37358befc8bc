#include "nn/norm/layer.h"

#include "ops/layer_norm.h"

namespace keel {

LayerNorm::LayerNorm(const Config& config, const NormArgs& args)
    : eps_(static_cast<float>(config.eps)),
      gain_(args.parameters.add(args.name + ".gain", {args.dim}, Role::kGain)) {
  if (config.bias) bias_ = args.parameters.add(args.name + ".bias", {args.dim}, Role::kBias);
}

Var LayerNorm::forward(const Var& x, DType out) const {
  return layer_norm(x, gain_.var(), bias_.var(), eps_, out);
}

AddNorm LayerNorm::add_forward(const Var& x, const Var& branch, DType out) const {
  return add_layer_norm(x, branch, gain_.var(), bias_.var(), eps_, out);
}

}  // namespace keel
