#include "nn/placement/post.h"
#include "nn/placement/pre.h"

namespace keel {

Var normed(Stream& s, const Norm& norm, DType out) {
  if (!s.branch_btd) return norm.forward(s.x_btd, out);
  AddNorm r = norm.add_forward(s.x_btd, s.branch_btd, out);
  s.x_btd = r.sum;
  s.branch_btd = {};
  return r.y;
}

// THE list of placements.
const Registry<Placement, const PlacementArgs&>& placements() {
  using R = Registry<Placement, const PlacementArgs&>;
  static const R r{"placement",
                   {R::entry<PrePlacement>("pre", "x + f(norm(x)), a final norm"),
                    R::entry<PostPlacement>("post", "norm(x + f(x)), needs warm-up")}};
  return r;
}

}  // namespace keel
