#include "nn/ffn/plain_ffn.h"

#include "core/philox.h"
#include "nn/output_probe.h"
#include "ops/dropout.h"
#include "ops/linear.h"

namespace keel {

PlainFfn::PlainFfn(const Config& config, const FfnArgs& args, Activation kind)
    : kind_(kind),
      layer_(args.layer),
      dropout_(args.dropout),
      stream_(stream_of(args.name + ".dropout")) {
  const int64_t hidden = ffn_width(config, args.dim, false);
  Parameters& p = args.parameters;
  up_ = linears().make(args.linear, {p, {{args.name + ".up", hidden, Role::kHidden}}, args.dim});
  if (args.bias) up_bias_ = p.add(args.name + ".up.bias", {hidden}, Role::kBias);
  down_ = linears().make(args.linear,
                         {p, {{args.name + ".down", args.dim, Role::kResidualOutput}}, hidden});
  if (args.bias) down_bias_ = p.add(args.name + ".down.bias", {args.dim}, Role::kBias);
}

Var PlainFfn::forward(const Var& x_btd, Pass& pass) const {
  const Var hidden = activation(
      probed(linear(x_btd, up_->weight(pass), up_bias_.var()), pass, layer_, &OutputProbe::fc1),
      kind_);
  const Var y = probed(linear(hidden, down_->weight(pass), down_bias_.var()), pass, layer_,
                       &OutputProbe::fc2);
  return pass.step ? dropout(y, {dropout_, stream_, pass.step}) : y;
}

}  // namespace keel
