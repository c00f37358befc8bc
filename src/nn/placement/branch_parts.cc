#include "nn/placement/branch_parts.h"

namespace keel {

BranchParts make_branch_parts(const PlacementArgs& a, const std::string& branch,
                              const BranchNorms& which) {
  const std::string name = a.name + "." + branch;
  BranchParts parts;
  if (which.in) {
    parts.norm = norms().make(a.norm, {a.parameters, name + "_norm", a.dim, which.scale});
  }
  if (which.out) parts.out_norm = norms().make(a.norm, {a.parameters, name + "_out_norm", a.dim});
  parts.residual =
      residuals().make(a.residual, {a.parameters, name + "_residual", a.dim, a.layer, a.layers});
  return parts;
}

Var BranchParts::scaled(const Var& branch_btd) const {
  Var y = branch_btd;
  if (out_norm) y = out_norm->forward(y, y.t.dtype());
  return residual ? residual->forward(y) : y;
}

}  // namespace keel
