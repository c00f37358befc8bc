#include "nn/placement/post.h"

#include "ops/cast.h"

namespace keel {

PostPlacement::PostPlacement(const Config&, const PlacementArgs& a)
    : attention_norm_(norms().make(a.norm, {a.parameters, a.name + ".attention_norm", a.dim})),
      ffn_norm_(norms().make(a.norm, {a.parameters, a.name + ".ffn_norm", a.dim})),
      attention_residual_(residuals().make(
          a.residual, {a.parameters, a.name + ".attention_residual", a.dim, a.layer, a.layers})),
      ffn_residual_(residuals().make(
          a.residual, {a.parameters, a.name + ".ffn_residual", a.dim, a.layer, a.layers})),
      compute_(a.parameters.compute()) {}

void PostPlacement::block(Stream& s, const Sublayer& attention, const Sublayer& ffn,
                          Pass& pass) const {
  Var a = attention.forward(cast(s.x_btd, compute_), pass);
  if (attention_residual_) a = attention_residual_->forward(a);
  s.x_btd = attention_norm_->add_forward(s.x_btd, a, DType::kF32).y;
  Var f = ffn.forward(cast(s.x_btd, compute_), pass);
  if (ffn_residual_) f = ffn_residual_->forward(f);
  s.x_btd = ffn_norm_->add_forward(s.x_btd, f, DType::kF32).y;
}

}  // namespace keel
