#include "nn/norm/gain_bias.h"

#include "ops/blend.h"
#include "ops/copy.h"

namespace keel {

void NormOptions::gain_fields(Fields& f) {
  f("gain", gain, "whether there is a trained gain");
  f("zero_centred", zero_centred, "the gain is stored as its distance from 1, and starts at 0");
  f("bias", bias, "whether a bias is added after the gain");
}

void NormOptions::validate(Errors& errors) const {
  if (zero_centred && !gain) {
    errors.add("zero_centred", "there is no gain to be stored; leave it out, or set gain = true",
               {"gain"});
  }
}

GainBias::GainBias(const NormArgs& args, const NormOptions& options, double gain_factor)
    : gain_factor_(static_cast<float>(gain_factor * args.scale)),
      bias_factor_(static_cast<float>(args.scale)),
      zero_centred_(options.zero_centred) {
  Parameters& p = args.parameters;
  const Shape shape{args.dim};
  if (options.gain) {
    gain_ = p.add(args.name + ".gain", shape, Role::kGain, options.zero_centred ? 0.0 : 1.0);
  } else if (gain_factor_ != 1.0f) {
    constant_ = persistent(shape, DType::kF32, p.device(), "a constant gain");
    on_device(constant_, [&](auto& dev) { kernel::fill(dev, {constant_, gain_factor_}); });
  }
  if (options.bias) bias_ = p.add(args.name + ".bias", shape, Role::kBias);
}

Var GainBias::gain() const {
  if (!gain_) return Var(constant_);
  if (gain_factor_ == 1.0f && !zero_centred_) return gain_.var();
  return blend(gain_.var(), gain_factor_, {}, 0, zero_centred_ ? gain_factor_ : 0.0f);
}

Var GainBias::bias() const {
  if (!bias_ || bias_factor_ == 1.0f) return bias_.var();
  return blend(bias_.var(), bias_factor_, {}, 0);
}

}  // namespace keel
