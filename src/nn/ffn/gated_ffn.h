// y = (f(x G) * (x U)) D: gate and up lie side by side and come from one product.
#pragma once

#include <memory>

#include "nn/ffn/ffn.h"
#include "ops/gated.h"

namespace keel {

class GatedFfn : public Sublayer {
 public:
  using Config = FfnOptions;
  GatedFfn(const Config& config, const FfnArgs& args, Activation kind);
  Var forward(const Var& x_btd, Pass& pass) const override;

 private:
  Activation kind_;
  int64_t layer_;
  float dropout_;
  uint64_t stream_;
  std::unique_ptr<LinearWeight> gate_up_, down_;
  ParameterRef gate_up_bias_, down_bias_;
};

template <Activation kKind>
struct GatedFfnOf final : GatedFfn {
  GatedFfnOf(const Config& c, const FfnArgs& a) : GatedFfn(c, a, kKind) {}
};

}  // namespace keel
