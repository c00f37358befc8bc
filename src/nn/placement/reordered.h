// Reordered norm: x = x + N(A(x)); x = x + N(F(x)); a norm after the last block (OLMo 2, arXiv
// 2501.00656; Liu et al., arXiv 2111.09883). Not post-norm: the stream itself is never normed, and
// the embedding's scale reaches attention as it is.
#pragma once

#include "nn/placement/added.h"

namespace keel {

class ReorderedPlacement final : public AddedPlacement {
 public:
  struct Config final : PlacementOptions {
    void fields(Fields&) override {}
    bool has_attention_norm() const override { return false; }
  };
  ReorderedPlacement(const Config&, const PlacementArgs& args)
      : AddedPlacement(args, {.in = false, .out = true}, {.in = false, .out = true}) {}
};

}  // namespace keel
