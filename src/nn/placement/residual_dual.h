// ResiDual: a post-normed stream x = N(x + f(x)) and beside it the plain sum d = d + s f(x) of the
// same branches, from d = s times the embedding; the output is x + N(d) (Xie et al., arXiv
// 2304.14802, as in microsoft/ResiDual with alpha 1). The scale s guards d in half precision.
#pragma once

#include "nn/placement/branch_parts.h"

namespace keel {

class ResidualDualPlacement final : public Placement {
 public:
  struct Config final : PlacementOptions {
    double scale = 1;
    void fields(Fields& f) override {
      f("scale", scale, "of everything that enters the second stream", above(0));
    }
    FinalNorm final_norm() const override;
    bool has_attention_norm() const override { return false; }
  };
  ResidualDualPlacement(const Config& config, const PlacementArgs& args);
  void block(Stream& s, const Sublayer& attention, const Sublayer& ffn, Pass& pass) const override;
  Var finish(Stream& s, const Norm* final_norm, DType out) const override;

 private:
  void join(Stream& s, const BranchParts& parts, const Var& branch_btd) const;

  BranchParts attention_, ffn_;
  DType compute_;
  float scale_;
};

}  // namespace keel
