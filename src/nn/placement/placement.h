// Where norms sit in a block and how its two branches join the residual stream. One object for each
// layer. Legend: b batch, t time, d dim.
#pragma once

#include <memory>
#include <string>
#include <string_view>

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
  bool attention_norm = true;  // false: the norm in front of attention is left out
};

// What runs through the blocks. `branch` is not yet added to x: the next norm does both in one
// pass.
struct Stream {
  Var x_btd;       // f32
  Var branch_btd;  // may be empty
  Var dual_btd;    // ResiDual's second stream, f32
};

// What a placement wants of the norm after the last block, and why it cannot do otherwise ("": it
// can).
struct FinalNorm {
  bool wanted = true;
  std::string_view reason = {};
};

// The root of all placements' options: what others must know before anything is built.
struct PlacementOptions : Config {
  virtual FinalNorm final_norm() const { return {}; }
  // Whether there is a norm in front of attention that can be left out.
  virtual bool has_attention_norm() const { return true; }
  // Whether branches are weighed by depth here, so that the initialisation must not do it again.
  virtual bool weighs_by_depth() const { return false; }
  // Factor on the first values of the matrices that decide the size of a branch.
  virtual double branch_init(int64_t layers) const;
};

struct Placement {
  virtual ~Placement() = default;
  virtual void block(Stream& s, const Sublayer& attention, const Sublayer& ffn,
                     Pass& pass) const = 0;
  // What the head reads, from the stream that the last block left; `final_norm` may be null.
  virtual Var finish(Stream& s, const Norm* final_norm, DType out) const;
};

const Registry<Placement, const PlacementArgs&>& placements();
using PlacementChoice = Variant<Placement, const PlacementArgs&>;

// norm(x + branch), the sum left in s.x and s.branch emptied; without a norm the sum itself.
Var normed(Stream& s, const Norm* norm, DType out);

}  // namespace keel
