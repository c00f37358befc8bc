// Pre-norm: x = x + A(N(x)); x = x + F(N(x)); a norm after the last block (Xiong et al., arXiv
// 2002.04745).
#pragma once

#include "nn/placement/added.h"

namespace keel {

class PrePlacement final : public AddedPlacement {
 public:
  struct Config final : PlacementOptions {
    void fields(Fields&) override {}
  };
  PrePlacement(const Config&, const PlacementArgs& args) : AddedPlacement(args, {}, {}) {}
};

}  // namespace keel
