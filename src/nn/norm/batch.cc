#include "nn/norm/batch.h"

#include "ops/copy.h"

namespace keel {

void BatchNorm::Config::fields(Fields& f) {
  f("eps", eps, "added to the variance", at_least(0));
  f("momentum", momentum, "share of the new batch in the running averages", above(0).at_most(1));
  f("allow_leak", allow_leak, "a causal model may see the future in training (negative control)");
  gain_fields(f);
}

void BatchNorm::Config::validate(Errors& errors) const {
  NormOptions::validate(errors);
  if (allow_leak) return;
  errors.add("kind",
             "the statistics of a batch tell each token about later ones, so a causal model sees "
             "the future in training; as a negative control set allow_leak = true",
             {"allow_leak"});
}

BatchNorm::BatchNorm(const Config& config, const NormArgs& args)
    : parameters_(args.parameters),
      form_{static_cast<float>(config.eps), static_cast<float>(config.momentum)},
      affine_(args, config),
      running_{args.parameters.add_buffer({args.dim}), args.parameters.add_buffer({args.dim}, 1)} {
  args.parameters.save_buffer(args.name + ".running_mean", running_.mean);
  args.parameters.save_buffer(args.name + ".running_variance", running_.variance);
}

Var BatchNorm::forward(const Var& x, DType out) const {
  BatchNormForm form = form_;
  form.training = parameters_.training();
  return batch_norm(x, affine_.gain(), affine_.bias(), running_, form, out);
}

}  // namespace keel
