#include "nn/norm/dynamic_tanh.h"

#include "ops/dyt.h"

namespace keel {

DynamicTanh::DynamicTanh(const Config& config, const NormArgs& args)
    : alpha_(args.parameters.add(args.name + ".alpha", {1}, Role::kGain, config.alpha)),
      affine_(args, config) {}

Var DynamicTanh::forward(const Var& x, DType out) const {
  return dyt(x, alpha_.var(), affine_.gain(), affine_.bias(), out);
}

AddNorm DynamicTanh::add_forward(const Var& x, const Var& branch, DType out) const {
  return add_dyt(x, branch, alpha_.var(), affine_.gain(), affine_.bias(), out);
}

}  // namespace keel
