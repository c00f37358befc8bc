// Where a token stands, told to the model: added to the embedding, or turned into queries and keys.
#pragma once

#include <memory>
#include <string>

#include "nn/linear/linear.h"
#include "nn/parameters.h"
#include "nn/pass.h"
#include "ops/rope.h"

namespace keel {

struct PositionArgs {
  Parameters& parameters;
  int64_t dim, head_dim, context, heads;
};

// A layer's part of a position that scores queries against distances (AttentionArgs).
struct RelativeTerm {
  struct Queries {
    Var content, distance;
  };
  virtual ~RelativeTerm() = default;
  // What meets the keys, and what meets the keys of distances.
  virtual Queries queries(const Var& q) const = 0;
  // [n, heads, head_dim]
  virtual Var keys(int64_t n, const Pass& pass) const = 0;
};

struct Position {
  virtual ~Position() = default;
  // Table [context, dim] added to the embedding; empty if there is none.
  virtual Var table() const { return {}; }
  // What the embedding is multiplied by before the table is added.
  virtual double embedding_scale() const { return 1; }
  // Rotation of queries and keys; empty if there is none.
  virtual const RopeTables& rope() const;
  // Whether values are rotated as well: no method of any paper, a negative control.
  virtual bool turns_values() const { return false; }
  // What is added to scores by distance, for AttentionArgs; empty if there is nothing.
  virtual Var distance_bias() const { return {}; }
  // For the layer whose parameters' names begin with `name` and whose linears are `linear`; null if
  // there is none.
  virtual std::unique_ptr<RelativeTerm> relative(const std::string& name,
                                                 const LinearChoice& linear) const;
  // Whether a context longer than the trained one can slide; a table ends where it ends.
  virtual bool slides() const { return true; }
};

const Registry<Position, const PositionArgs&>& positions();
using PositionChoice = Variant<Position, const PositionArgs&>;

}  // namespace keel
