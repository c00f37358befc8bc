#include "nn/placement/residual_dual.h"

#include "ops/blend.h"
#include "ops/cast.h"

namespace keel {

FinalNorm ResidualDualPlacement::Config::final_norm() const {
  return {true, "the second stream reaches the output through this norm alone"};
}

ResidualDualPlacement::ResidualDualPlacement(const Config& config, const PlacementArgs& a)
    : attention_(make_branch_parts(a, "attention")),
      ffn_(make_branch_parts(a, "ffn")),
      compute_(a.parameters.compute()),
      scale_(static_cast<float>(config.scale)) {}

void ResidualDualPlacement::join(Stream& s, const BranchParts& parts, const Var& branch_btd) const {
  const Var b = parts.scaled(branch_btd);
  s.dual_btd = blend(s.dual_btd, 1, b, scale_);
  s.x_btd = parts.norm->add_forward(s.x_btd, b, DType::kF32).y;
}

void ResidualDualPlacement::block(Stream& s, const Sublayer& attention, const Sublayer& ffn,
                                  Pass& pass) const {
  if (!s.dual_btd) s.dual_btd = scale_ == 1.0f ? s.x_btd : blend(s.x_btd, scale_, {}, 0);
  join(s, attention_, attention.forward(cast(s.x_btd, compute_), pass));
  join(s, ffn_, ffn.forward(cast(s.x_btd, compute_), pass));
}

Var ResidualDualPlacement::finish(Stream& s, const Norm* final_norm, DType out) const {
  const Var dual = final_norm->forward(s.dual_btd, DType::kF32);
  return cast(blend(s.x_btd, 1, dual, 1), out);
}

}  // namespace keel
