// Nearly the closest semi-orthogonal matrix, by products alone (Jordan et al., 2024, "Muon"): k
// times X <- a X + b (X X^T) X + c (X X^T)^2 X, with a = 3.4445, b = -4.7750, c = 2.0315, which
// takes singular values in [0.02, 1] to [0.68, 1.135] in 5 iterations. f32 throughout.
#pragma once

#include <cstdint>

#include "core/device.h"
#include "core/tensor.h"

namespace keel {

// f32, contiguous. k = min(rows, columns).
struct NewtonSchulz {
  Tensor x;           // [rows, columns], singular values at most 1
  Tensor next;        // [rows, columns]
  Tensor gram, poly;  // [k, k]
  int iterations = 5;
};
// Works in x and next in turn; returns the one that has the result.
Tensor newton_schulz(const NewtonSchulz& n);

namespace kernel {
// out = a I + b gram + c out, where out holds gram^2.
struct NewtonSchulzPoly {
  Tensor gram, out;  // [k, k]
  float a, b, c;
};
void newton_schulz_poly(Cpu&, const NewtonSchulzPoly&);
}  // namespace kernel

}  // namespace keel
