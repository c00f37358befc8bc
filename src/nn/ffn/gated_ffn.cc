#include "nn/ffn/gated_ffn.h"

#include "core/philox.h"
#include "nn/output_probe.h"
#include "ops/dropout.h"
#include "ops/linear.h"

namespace keel {

GatedFfn::GatedFfn(const Config& config, const FfnArgs& args, Activation kind)
    : kind_(kind),
      layer_(args.layer),
      dropout_(args.dropout),
      stream_(stream_of(args.name + ".dropout")) {
  const int64_t hidden = ffn_width(config, args.dim, true);
  Parameters& p = args.parameters;
  const std::string& n = args.name;
  gate_up_ = linears().make(
      args.linear,
      {p, {{n + ".gate", hidden, Role::kHidden}, {n + ".up", hidden, Role::kHidden}}, args.dim});
  if (args.bias) {
    gate_up_bias_ = p.add_stack(
        {{n + ".gate.bias", {hidden}, Role::kBias}, {n + ".up.bias", {hidden}, Role::kBias}});
  }
  down_ =
      linears().make(args.linear, {p, {{n + ".down", args.dim, Role::kResidualOutput}}, hidden});
  if (args.bias) down_bias_ = p.add(n + ".down.bias", {args.dim}, Role::kBias);
}

Var GatedFfn::forward(const Var& x_btd, Pass& pass) const {
  const Var hidden = gated(probed(linear(x_btd, gate_up_->weight(pass), gate_up_bias_.var()), pass,
                                  layer_, &OutputProbe::fc1),
                           kind_);
  const Var y = probed(linear(hidden, down_->weight(pass), down_bias_.var()), pass, layer_,
                       &OutputProbe::fc2);
  return pass.step ? dropout(y, {dropout_, stream_, pass.step}) : y;
}

}  // namespace keel
