// Small dense products whose operands lie in L1 or L2, for kernels that fuse them with other work
// (attention). One thread, f32; the sum over depth is taken in one fixed order, so a result's bits
// depend on its row, its column and the depth alone. Large products belong to gemm.h.
#pragma once

#include <cstdint>

namespace keel {

// c[i * c_stride + j] = (add ? c : 0) + sum over k of A(i, k) * b[k * b_stride + j], where
// A(i, k) = a[i * a_stride + k], or a[k * a_stride + i] if a_transposed.
struct Panel {
  const float* a;
  int64_t a_stride;
  bool a_transposed;
  const float* b;
  int64_t b_stride;
  float* c;
  int64_t c_stride;
  bool add;
};

// rows >= 0, depth >= 0; the width of b and c is a number of vectors of kLanes floats (vec.h).
void multiply_panel(const Panel& p, int64_t rows, int64_t depth, int64_t vectors);

}  // namespace keel
