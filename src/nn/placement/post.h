// Post-norm: x = N(x + A(x)); x = N(x + F(x)) (Vaswani et al., arXiv 1706.03762), and DeepNorm:
// x = N(alpha x + A(x)), alpha = (2 layers)^(1/4), the matrices of values, output and feed-forward
// started smaller by beta = (8 layers)^(-1/4) (Wang et al., arXiv 2203.00555; the constants of a
// model with a decoder only).
#pragma once

#include "nn/placement/branch_parts.h"

namespace keel {

class PostPlacement : public Placement {
 public:
  struct Config final : PlacementOptions {
    void fields(Fields&) override {}
    FinalNorm final_norm() const override;
    bool has_attention_norm() const override { return false; }
  };
  PostPlacement(const Config&, const PlacementArgs& args) : PostPlacement(args, 1) {}
  void block(Stream& s, const Sublayer& attention, const Sublayer& ffn, Pass& pass) const override;

 protected:
  PostPlacement(const PlacementArgs& args, double alpha);

 private:
  Var joined(const Var& x_btd, const BranchParts& parts, const Var& branch_btd) const;

  BranchParts attention_, ffn_;
  DType compute_;
  float alpha_;
};

class DeepNormPlacement final : public PostPlacement {
 public:
  struct Config final : PlacementOptions {
    void fields(Fields&) override {}
    FinalNorm final_norm() const override;
    bool has_attention_norm() const override { return false; }
    bool weighs_by_depth() const override { return true; }
    double branch_init(int64_t layers) const override;
  };
  DeepNormPlacement(const Config&, const PlacementArgs& args);
};

}  // namespace keel
