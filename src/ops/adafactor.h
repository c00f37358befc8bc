// Adafactor (Shazeer and Stern, arXiv 1804.04235, algorithms 4 and 5). Of a matrix the second
// moment is kept as the means over its rows and columns, R and C: v_hat = R C^T / mean(R), which is
// exact where g^2 has rank one; of a vector it is kept in full. With beta2 = 1 - t^-0.8 and e1 =
// 1e-30:
//   R = beta2 R + (1 - beta2) (mean over columns of g^2 + e1), C likewise over rows
//   u = g / sqrt(v_hat); u /= max(1, RMS(u) / d); m = beta1 m + (1 - beta1) u where beta1 is not 0
//   w -= step * (u or m)
// step = rate, or min(rate, 1 / sqrt(t)) (relative_step); times max(1e-3, RMS(w))
// (scale_parameter).
#pragma once

#include <cstdint>
#include <span>

#include "core/device.h"
#include "core/dtype.h"
#include "core/step_state.h"
#include "core/tensor.h"

namespace keel::kernel {

struct AdafactorTensor {
  float* weight;
  const float* grad;
  float* m;             // [rows, columns]; null: none
  float *row, *column;  // [rows], [columns]; null for a vector
  float* full;          // [columns] of a vector, whose rows are 1
  float* columns_root;  // [columns] working memory: 1 / sqrt(column)
  bf16* copy;           // null: none
  int64_t rows, columns;
  int64_t first_part, parts;
  float decay, rate;  // multipliers
};
// Elements [begin, end) of a tensor: whole rows of a matrix.
struct AdafactorPart {
  int64_t tensor, begin, end;
  float* column_sums;  // [columns] of a matrix: of the squares in this part
};
constexpr int64_t kAdafactorPart = 1 << 15;
constexpr int64_t kAdafactorLeastRows = 32;  // so that column sums stay small beside the tensor

struct Adafactor {
  std::span<const AdafactorTensor> tensors;
  std::span<const AdafactorPart> parts;
  double beta1, beta2_power, update_clip, weight_decay;  // update_clip 0: none
  bool independent, scale_parameter, relative_step;
  const StepState* state;  // rate, factor, clip_coefficient, skip
  Tensor updates;          // i32 [1]: updates made so far; counted up
  Tensor partial;          // memory of one f64 for each part
  Tensor scale;            // f32 [tensors, 3]: 1 / mean(R), RMS(w), clip
};
void adafactor(Cpu&, const Adafactor&);

}  // namespace keel::kernel
