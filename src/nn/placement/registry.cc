#include "nn/placement/parallel.h"
#include "nn/placement/post.h"
#include "nn/placement/pre.h"
#include "nn/placement/reordered.h"
#include "nn/placement/residual_dual.h"
#include "nn/placement/sandwich.h"
#include "nn/placement/scaled.h"
#include "nn/placement/unnormed.h"
#include "ops/add.h"
#include "ops/cast.h"

namespace keel {

double PlacementOptions::branch_init(int64_t) const { return 1; }

Var normed(Stream& s, const Norm* norm, DType out) {
  if (!s.branch_btd) return norm ? norm->forward(s.x_btd, out) : cast(s.x_btd, out);
  const Var branch = std::exchange(s.branch_btd, {});
  if (!norm) {
    s.x_btd = add(s.x_btd, branch);
    return cast(s.x_btd, out);
  }
  AddNorm r = norm->add_forward(s.x_btd, branch, out);
  s.x_btd = r.sum;
  return r.y;
}

Var Placement::finish(Stream& s, const Norm* final_norm, DType out) const {
  return normed(s, final_norm, out);
}

// THE list of placements.
const Registry<Placement, const PlacementArgs&>& placements() {
  using R = Registry<Placement, const PlacementArgs&>;
  static const R r{
      "placement",
      {R::entry<PrePlacement>("pre", "x + f(norm(x)), a final norm"),
       R::entry<PostPlacement>("post", "norm(x + f(x)), needs warm-up"),
       R::entry<SandwichPlacement>("sandwich", "x + norm(f(norm(x))), a final norm (peri-LN)"),
       R::entry<ReorderedPlacement>("reordered", "x + norm(f(x)), a final norm (OLMo 2)"),
       R::entry<ResidualDualPlacement>("residual_dual",
                                       "a post-normed stream and a plain one (ResiDual)"),
       R::entry<DeepNormPlacement>("deepnorm", "norm(alpha x + f(x)), branches started smaller"),
       R::entry<ScaledPlacement>("scaled", "pre-norm divided by sqrt(layer) (LayerNorm scaling)"),
       R::entry<ParallelPlacement>("parallel", "x + attention(norm(x)) + ffn(norm(x)) (PaLM)"),
       R::entry<UnnormedPlacement>("unnormed", "x + f(x), no norm (ReZero's block)")}};
  return r;
}

}  // namespace keel
