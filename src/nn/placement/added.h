// x = x + branch, the branch normed in front, behind, both or not at all: what pre, sandwich,
// reordered, scaled and unnormed placements have in common.
#pragma once

#include "nn/placement/branch_parts.h"

namespace keel {

class AddedPlacement : public Placement {
 public:
  AddedPlacement(const PlacementArgs& args, const BranchNorms& attention, const BranchNorms& ffn);
  void block(Stream& s, const Sublayer& attention, const Sublayer& ffn, Pass& pass) const override;

 private:
  BranchParts attention_, ffn_;
  DType compute_;
};

}  // namespace keel
