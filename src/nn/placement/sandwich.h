// Sandwich or Peri-LN: x = x + N(A(N(x))); x = x + N(F(N(x))); a norm after the last block (Kim et
// al., arXiv 2502.02732). Each norm has a gain of its own.
#pragma once

#include "nn/placement/added.h"

namespace keel {

class SandwichPlacement final : public AddedPlacement {
 public:
  struct Config final : PlacementOptions {
    void fields(Fields&) override {}
  };
  SandwichPlacement(const Config&, const PlacementArgs& args)
      : AddedPlacement(args, {.out = true}, {.out = true}) {}
};

}  // namespace keel
