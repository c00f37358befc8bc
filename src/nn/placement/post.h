// Post-norm: x = N(x + A(x)); x = N(x + F(x)) (Vaswani et al., arXiv 1706.03762).
#pragma once

#include "nn/placement/placement.h"

namespace keel {

class PostPlacement final : public Placement {
 public:
  using Config = NoOptions;
  PostPlacement(const Config&, const PlacementArgs& args);
  void block(Stream& s, const Sublayer& attention, const Sublayer& ffn, Pass& pass) const override;
  bool final_norm() const override { return false; }

 private:
  BranchParts attention_, ffn_;
  DType compute_;
};

}  // namespace keel
