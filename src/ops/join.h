// Vectors one after the other: the biases of projections that one product computes, where some of
// them have none.
#pragma once

#include "autograd/var.h"

namespace keel {

// f32 [size]; an empty `v` stands for zeros.
struct JoinPart {
  Var v;
  int64_t size;
};
// f32 [sum of sizes] on `device`. ShapeError for a part that has not its size.
Var join(const JoinPart& a, const JoinPart& b, const JoinPart& c, DeviceKind device);

}  // namespace keel
