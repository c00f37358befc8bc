#include "nn/placement/post.h"
#include "nn/placement/pre.h"
#include "ops/add.h"
#include "ops/cast.h"

namespace keel {

BranchParts make_branch_parts(const PlacementArgs& a, const std::string& branch, bool normed) {
  const NormArgs norm{a.parameters, a.name + "." + branch + "_norm", a.dim};
  return {normed ? norms().make(a.norm, norm) : nullptr,
          residuals().make(a.residual, {a.parameters, a.name + "." + branch + "_residual", a.dim,
                                        a.layer, a.layers})};
}

Var BranchParts::scaled(const Var& branch_btd) const {
  return residual ? residual->forward(branch_btd) : branch_btd;
}

Var normed(Stream& s, const Norm& norm, DType out) {
  if (!s.branch_btd) return norm.forward(s.x_btd, out);
  AddNorm r = norm.add_forward(s.x_btd, s.branch_btd, out);
  s.x_btd = r.sum;
  s.branch_btd = {};
  return r.y;
}

Var joined(Stream& s, DType out) {
  if (s.branch_btd) s.x_btd = add(s.x_btd, s.branch_btd);
  s.branch_btd = {};
  return cast(s.x_btd, out);
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
