#include "ops/reshape.h"

namespace keel {

Var reshape(const Var& x, const Shape& shape) { return Var(x.t.view(shape), x.slot); }

}  // namespace keel
