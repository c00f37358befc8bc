// LayerNorm scaling: pre-norm with the output of layer l's norms, l from 1, divided by sqrt(l) (Sun
// et al., arXiv 2502.05795). It takes the place of initialisations that shrink branches with depth.
#pragma once

#include <cmath>

#include "nn/placement/added.h"

namespace keel {

class ScaledPlacement final : public AddedPlacement {
 public:
  struct Config final : PlacementOptions {
    void fields(Fields&) override {}
    bool weighs_by_depth() const override { return true; }
  };
  ScaledPlacement(const Config&, const PlacementArgs& args)
      : AddedPlacement(args, scaled(args), scaled(args)) {}

 private:
  static BranchNorms scaled(const PlacementArgs& a) {
    return {.scale = 1 / std::sqrt(static_cast<double>(a.layer + 1))};
  }
};

}  // namespace keel
