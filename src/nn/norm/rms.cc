#include "nn/norm/rms.h"

#include "ops/rms_norm.h"

namespace keel {

RmsNorm::RmsNorm(const Config& config, const NormArgs& args)
    : eps_(static_cast<float>(config.eps)),
      gain_(args.parameters.add(args.name + ".gain", {args.dim}, Role::kGain)) {}

Var RmsNorm::forward(const Var& x, DType out) const {
  return rms_norm(x, gain_.var(), {}, eps_, out);
}

AddNorm RmsNorm::add_forward(const Var& x, const Var& branch, DType out) const {
  return add_rms_norm(x, branch, gain_.var(), {}, eps_, out);
}

}  // namespace keel
