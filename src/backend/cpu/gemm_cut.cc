#include <algorithm>

#include "backend/cpu/gemm.h"
#include "backend/cpu/gemm_table.h"

namespace keel {
// About eight slices of at least 2 Mflop each, cut along the longer side first so that they stay
// near square.
GemmCut rule_cut(int64_t m, int64_t n, int64_t k) {
  const double flops = 2.0 * double(m) * double(n) * double(k);
  int slices = static_cast<int>(std::clamp(flops / 2e6, 1.0, 8.0));
  GemmCut cut;
  for (; slices >= 2; slices /= 2) {
    if (m / cut.rows >= n / cut.columns && m / cut.rows >= 32)
      cut.rows *= 2;
    else if (n / cut.columns >= 64)
      cut.columns *= 2;
  }
  return cut;
}

GemmCut gemm_cut(int64_t m, int64_t n, int64_t k, bool a_transposed, bool b_transposed,
                 DType type) {
  const GemmForm form = a_transposed   ? GemmForm::kWeightGradient
                        : b_transposed ? GemmForm::kForward
                                       : GemmForm::kInputGradient;
  for (const MeasuredCut& e : measured_cuts(type)) {
    if (e.m == m && e.n == n && e.k == k && e.form == form) return {e.rows, e.columns, e.pack};
  }
  return rule_cut(m, n, k);
}

}  // namespace keel
