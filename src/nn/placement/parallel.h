// Parallel branches: x = x + A(N(x)) + F(N(x)), one norm for both or one for each; a norm after the
// last block (GPT-J; PaLM: Chowdhery et al., arXiv 2204.02311, section 2).
#pragma once

#include "nn/placement/branch_parts.h"

namespace keel {

class ParallelPlacement final : public Placement {
 public:
  struct Config final : PlacementOptions {
    bool two_norms = false;
    void fields(Fields& f) override {
      f("two_norms", two_norms, "a norm for each branch instead of a shared one");
    }
    bool has_attention_norm() const override { return two_norms; }
  };
  ParallelPlacement(const Config& config, const PlacementArgs& args);
  void block(Stream& s, const Sublayer& attention, const Sublayer& ffn, Pass& pass) const override;

 private:
  BranchParts attention_, ffn_;  // shared: attention's norm serves both
  DType compute_;
};

}  // namespace keel
