#include "nn/placement/pre.h"

namespace keel {

PrePlacement::PrePlacement(const Config&, const PlacementArgs& a)
    : attention_(make_branch_parts(a, "attention", a.attention_norm)),
      ffn_(make_branch_parts(a, "ffn")),
      compute_(a.parameters.compute()) {}

void PrePlacement::block(Stream& s, const Sublayer& attention, const Sublayer& ffn,
                         Pass& pass) const {
  const Var a_in = attention_.norm ? normed(s, *attention_.norm, compute_) : joined(s, compute_);
  s.branch_btd = attention_.scaled(attention.forward(a_in, pass));
  const Var f_in = normed(s, *ffn_.norm, compute_);
  s.branch_btd = ffn_.scaled(ffn.forward(f_in, pass));
}

}  // namespace keel
