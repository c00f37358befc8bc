// The two branches of a block, as a placement sees them: attention (or another mixer) and the
// feed-forward layer. x [b, t, dim] in the compute dtype, result [b, t, dim] in the same.
#pragma once

#include "autograd/var.h"
#include "nn/pass.h"

namespace keel {

struct Sublayer {
  virtual ~Sublayer() = default;
  virtual Var forward(const Var& x_btd, Pass& pass) const = 0;
};

}  // namespace keel
