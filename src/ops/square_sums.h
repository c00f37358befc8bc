// Sums of squares in f64, cut into parts by the size alone, so that the bits do not depend on
// threads. For measurements; no gradient.
#pragma once

#include "core/device.h"

namespace keel {

// sqrt(mean of x^2) of all elements; x f32 or bf16, contiguous. 0 on kMeta and of no elements.
double root_mean_square(const Tensor& x);

namespace kernel {
struct SquareSum {
  Tensor x;     // f32 or bf16, contiguous
  double* sum;  // on the host
};
void square_sum(Cpu&, const SquareSum&);

// Of a tensor before and after a change, in one pass.
struct ChangeSums {
  Tensor before, after;             // f32, contiguous, of one size
  double *before_sum, *change_sum;  // on the host: sums of before^2 and of (after - before)^2
};
void change_sums(Cpu&, const ChangeSums&);
}  // namespace kernel

}  // namespace keel
