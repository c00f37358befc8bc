// x = x + A(x); x = x + F(x), no norm at all: the block of ReZero (Bachlechner et al., arXiv
// 2003.04887), where a trained factor on the branch stands for the norm.
#pragma once

#include "nn/placement/added.h"

namespace keel {

class UnnormedPlacement final : public AddedPlacement {
 public:
  struct Config final : PlacementOptions {
    void fields(Fields&) override {}
    FinalNorm final_norm() const override { return {false}; }
    bool has_attention_norm() const override { return false; }
  };
  UnnormedPlacement(const Config&, const PlacementArgs& args)
      : AddedPlacement(args, {.in = false}, {.in = false}) {}
};

}  // namespace keel
