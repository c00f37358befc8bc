// The same values in another storage type; f32 to bf16 rounds to nearest even.
#pragma once

#include "autograd/var.h"

namespace keel {

// x f32 or bf16, contiguous. A cast to x's own dtype returns x itself.
Var cast(const Var& x, DType to);

}  // namespace keel
