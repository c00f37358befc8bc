#include "nn/placement/parallel.h"

#include "ops/add.h"

namespace keel {

ParallelPlacement::ParallelPlacement(const Config& config, const PlacementArgs& a)
    : attention_(make_branch_parts(a, "attention", {.in = a.attention_norm})),
      ffn_(make_branch_parts(a, "ffn", {.in = config.two_norms})),
      compute_(a.parameters.compute()) {}

void ParallelPlacement::block(Stream& s, const Sublayer& attention, const Sublayer& ffn,
                              Pass& pass) const {
  const Var a_in = normed(s, attention_.norm.get(), compute_);
  const Var f_in = ffn_.norm ? ffn_.norm->forward(s.x_btd, compute_) : a_in;
  const Var a = attention_.scaled(attention.forward(a_in, pass));
  s.branch_btd = ffn_.scaled(ffn.forward(f_in, pass));
  s.x_btd = add(s.x_btd, a);
}

}  // namespace keel
