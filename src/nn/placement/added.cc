#include "nn/placement/added.h"

namespace keel {

AddedPlacement::AddedPlacement(const PlacementArgs& a, const BranchNorms& attention,
                               const BranchNorms& ffn)
    : attention_(make_branch_parts(
          a, "attention", {attention.in && a.attention_norm, attention.out, attention.scale})),
      ffn_(make_branch_parts(a, "ffn", ffn)),
      compute_(a.parameters.compute()) {}

void AddedPlacement::block(Stream& s, const Sublayer& attention, const Sublayer& ffn,
                           Pass& pass) const {
  const Var a_in = normed(s, attention_.norm.get(), compute_);
  s.branch_btd = attention_.scaled(attention.forward(a_in, pass));
  const Var f_in = normed(s, ffn_.norm.get(), compute_);
  s.branch_btd = ffn_.scaled(ffn.forward(f_in, pass));
}

}  // namespace keel
