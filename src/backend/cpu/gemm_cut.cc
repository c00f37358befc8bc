#include <algorithm>

#include "backend/cpu/gemm.h"
#include "backend/cpu/gemm_table.h"

namespace keel {
namespace {

// Near square slices: cut along the longer side first.
GemmCut square_slices(int64_t m, int64_t n, int slices) {
  GemmCut cut;
  for (; slices >= 2; slices /= 2) {
    if (m / cut.rows >= n / cut.columns && m / cut.rows >= 32)
      cut.rows *= 2;
    else if (n / cut.columns >= 64)
      cut.columns *= 2;
  }
  return cut;
}

// Slices of whole rows while they have 96 of them: a bf16 kernel lays its part of b out anew, which
// costs next to fast products as much as they do, and columns would not make that part smaller.
GemmCut row_slices(int64_t m, int64_t n, int slices) {
  GemmCut cut;
  for (; slices >= 2; slices /= 2) {
    if (m / cut.rows >= 2 * 96)
      cut.rows *= 2;
    else if (n / cut.columns >= 64)
      cut.columns *= 2;
  }
  return cut;
}

}  // namespace

// Up to eight slices, each of at least 2 Mflop in f32, 12 in bf16.
GemmCut rule_cut(int64_t m, int64_t n, int64_t k, DType type) {
  const double flops = 2.0 * double(m) * double(n) * double(k);
  const double least = type == DType::kBf16 ? 12e6 : 2e6;
  const int slices = static_cast<int>(std::clamp(flops / least, 1.0, 8.0));
  return type == DType::kBf16 ? row_slices(m, n, slices) : square_slices(m, n, slices);
}

GemmCut gemm_cut(int64_t m, int64_t n, int64_t k, bool a_transposed, bool b_transposed,
                 DType type) {
  const GemmForm form = a_transposed   ? GemmForm::kWeightGradient
                        : b_transposed ? GemmForm::kForward
                                       : GemmForm::kInputGradient;
  for (const MeasuredCut& e : measured_cuts(type)) {
    if (e.m == m && e.n == n && e.k == k && e.form == form) return {e.rows, e.columns, e.pack};
  }
  return rule_cut(m, n, k, type);
}

}  // namespace keel
