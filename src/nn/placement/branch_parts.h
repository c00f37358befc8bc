// What one branch of a block needs of its placement: the norms in front of it and behind it, and
// what multiplies it.
#pragma once

#include "nn/placement/placement.h"

namespace keel {

// Which norms a branch has, and what the one in front of it is multiplied by.
struct BranchNorms {
  bool in = true, out = false;
  double scale = 1;
};

struct BranchParts {
  std::unique_ptr<Norm> norm, out_norm;  // may be null
  std::unique_ptr<Residual> residual;    // may be null
  // The branch's output as it joins the stream: normed, then multiplied.
  Var scaled(const Var& branch_btd) const;
};

// `branch` ("attention", "ffn") names the parameters: NAME.BRANCH_norm, NAME.BRANCH_out_norm,
// NAME.BRANCH_residual.
BranchParts make_branch_parts(const PlacementArgs& args, const std::string& branch,
                              const BranchNorms& norms = {});

}  // namespace keel
