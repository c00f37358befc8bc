#include "nn/placement/post.h"

#include "ops/cast.h"

namespace keel {

PostPlacement::PostPlacement(const Config&, const PlacementArgs& a)
    : attention_(make_branch_parts(a, "attention")),
      ffn_(make_branch_parts(a, "ffn")),
      compute_(a.parameters.compute()) {}

void PostPlacement::block(Stream& s, const Sublayer& attention, const Sublayer& ffn,
                          Pass& pass) const {
  const Var a = attention_.scaled(attention.forward(cast(s.x_btd, compute_), pass));
  s.x_btd = attention_.norm->add_forward(s.x_btd, a, DType::kF32).y;
  const Var f = ffn_.scaled(ffn.forward(cast(s.x_btd, compute_), pass));
  s.x_btd = ffn_.norm->add_forward(s.x_btd, f, DType::kF32).y;
}

}  // namespace keel
