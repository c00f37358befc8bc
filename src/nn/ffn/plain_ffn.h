// y = f(x W1 + b1) W2 + b2.
#pragma once

#include "nn/ffn/ffn.h"
#include "ops/activation.h"

namespace keel {

class PlainFfn : public Sublayer {
 public:
  using Config = FfnOptions;
  PlainFfn(const Config& config, const FfnArgs& args, Activation kind);
  Var forward(const Var& x_btd, Pass& pass) const override;

 private:
  Activation kind_;
  float dropout_;
  uint64_t stream_;
  ParameterRef up_, up_bias_, down_, down_bias_;
};

struct GeluFfn final : PlainFfn {
  GeluFfn(const Config& c, const FfnArgs& a) : PlainFfn(c, a, Activation::kGelu) {}
};
struct GeluErfFfn final : PlainFfn {
  GeluErfFfn(const Config& c, const FfnArgs& a) : PlainFfn(c, a, Activation::kGeluErf) {}
};
struct ReluFfn final : PlainFfn {
  ReluFfn(const Config& c, const FfnArgs& a) : PlainFfn(c, a, Activation::kRelu) {}
};

}  // namespace keel
