// Where norms sit in a block and how its two branches join the residual stream. One object for each
// layer. Legend: b batch, t time, d dim.
#pragma once

#include <memory>
#include <string>

#include "nn/norm/norm.h"
#include "nn/residual/residual.h"
#include "nn/sublayer.h"

namespace keel {

struct PlacementArgs {
  Parameters& parameters;
  const NormChoice& norm;
  const ResidualChoice& residual;
  std::string name;  // prefix of the layer's parameters
  int64_t dim, layer, layers;
  bool attention_norm = true;  // false: attention reads the stream as it is
};

// What runs through the blocks. `branch` is not yet added to x: the next norm does both in one
// pass.
struct Stream {
  Var x_btd;       // f32
  Var branch_btd;  // may be empty
};

struct Placement {
  virtual ~Placement() = default;
  virtual void block(Stream& s, const Sublayer& attention, const Sublayer& ffn,
                     Pass& pass) const = 0;
  // Whether the model norms the stream once more after the last block.
  virtual bool final_norm() const = 0;
};

const Registry<Placement, const PlacementArgs&>& placements();
using PlacementChoice = Variant<Placement, const PlacementArgs&>;

// What one branch of a block needs of its placement: its norm, and what multiplies it (or null).
struct BranchParts {
  std::unique_ptr<Norm> norm;
  std::unique_ptr<Residual> residual;
  // The branch's output as it joins the stream.
  Var scaled(const Var& branch_btd) const;
};
// `branch` ("attention", "ffn") names the parameters: NAME.BRANCH_norm, NAME.BRANCH_residual.
// `normed`: false leaves the norm out.
BranchParts make_branch_parts(const PlacementArgs& args, const std::string& branch,
                              bool normed = true);

// norm(x + branch), the sum left in s.x and s.branch emptied: the start of a pre-normed branch.
Var normed(Stream& s, const Norm& norm, DType out);
// The same without a norm: x + branch.
Var joined(Stream& s, DType out);

}  // namespace keel
