// y = f(x W1 + b1) W2 + b2.
#pragma once

#include <memory>

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
  int64_t layer_;
  float dropout_;
  uint64_t stream_;
  std::unique_ptr<LinearWeight> up_, down_;
  ParameterRef up_bias_, down_bias_;
};

template <Activation kKind>
struct PlainFfnOf final : PlainFfn {
  PlainFfnOf(const Config& c, const FfnArgs& a) : PlainFfn(c, a, kKind) {}
};

}  // namespace keel
