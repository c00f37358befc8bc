// Pre-norm: x = x + A(N(x)); x = x + F(N(x)); a norm after the last block (Xiong et al., arXiv
// 2002.04745).
#pragma once

#include "nn/placement/placement.h"

namespace keel {

class PrePlacement final : public Placement {
 public:
  using Config = NoOptions;
  PrePlacement(const Config&, const PlacementArgs& args);
  void block(Stream& s, const Sublayer& attention, const Sublayer& ffn, Pass& pass) const override;
  bool final_norm() const override { return true; }

 private:
  BranchParts attention_, ffn_;
  DType compute_;
};

}  // namespace keel
