// Pre-norm: x = x + A(N(x)); x = x + F(N(x)); a norm after the last block (Xiong et al., arXiv
// 2002.04745).
#pragma once

#include "nn/placement/added.h"

namespace keel {

class PrePlacement final : public AddedPlacement {
 public:
  struct Config final : PlacementOptions {
    bool attention_norm = true;
    void fields(Fields& f) override {
      f("attention_norm", attention_norm,
        "norm in front of attention; false where queries, keys and values are normed instead");
    }
    bool norms_attention_input() const override { return attention_norm; }
  };
  PrePlacement(const Config& c, const PlacementArgs& args)
      : AddedPlacement(args, {.in = c.attention_norm}, {}) {}
};

}  // namespace keel
