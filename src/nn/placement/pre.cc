#include "nn/placement/pre.h"

namespace keel {

PrePlacement::PrePlacement(const Config&, const PlacementArgs& a)
    : attention_norm_(norms().make(a.norm, {a.parameters, a.name + ".attention_norm", a.dim})),
      ffn_norm_(norms().make(a.norm, {a.parameters, a.name + ".ffn_norm", a.dim})),
      attention_residual_(residuals().make(
          a.residual, {a.parameters, a.name + ".attention_residual", a.dim, a.layer, a.layers})),
      ffn_residual_(residuals().make(
          a.residual, {a.parameters, a.name + ".ffn_residual", a.dim, a.layer, a.layers})),
      compute_(a.parameters.compute()) {}

void PrePlacement::block(Stream& s, const Sublayer& attention, const Sublayer& ffn,
                         Pass& pass) const {
  s.branch_btd = attention.forward(normed(s, *attention_norm_, compute_), pass);
  if (attention_residual_) s.branch_btd = attention_residual_->forward(s.branch_btd);
  s.branch_btd = ffn.forward(normed(s, *ffn_norm_, compute_), pass);
  if (ffn_residual_) s.branch_btd = ffn_residual_->forward(s.branch_btd);
}

}  // namespace keel
