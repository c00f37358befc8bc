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

// Rows of a multiple of 8 KiB, read down their columns, all fall on the same few cache sets: oneDNN
// runs such a product at two thirds of its speed. Turned first it runs at all of it.
bool should_turn(int64_t m, int64_t n, int64_t k, GemmForm form, DType type) {
  return form == GemmForm::kWeightGradient && type == DType::kF32 && m % 2048 == 0 && n >= 256 &&
         k >= 256;
}

}  // namespace

// Up to eight slices, each of at least 2 Mflop in f32, 12 in bf16.
GemmCut rule_cut(int64_t m, int64_t n, int64_t k, GemmForm form, DType type) {
  const double flops = 2.0 * double(m) * double(n) * double(k);
  const double least = type == DType::kBf16 ? 12e6 : 2e6;
  const int slices = static_cast<int>(std::clamp(flops / least, 1.0, 8.0));
  GemmCut cut = type == DType::kBf16 ? row_slices(m, n, slices) : square_slices(m, n, slices);
  cut.turn = should_turn(m, n, k, form, type);
  return cut;
}

GemmCut gemm_cut(int64_t m, int64_t n, int64_t k, GemmForm form, DType type) {
  GemmCut cut = rule_cut(m, n, k, form, type);
  for (const MeasuredCut& e : measured_cuts(type)) {
    if (e.m == m && e.n == n && e.k == k && e.form == form) {
      cut = {e.rows, e.columns, e.pack, cut.turn};
    }
  }
  return cut;
}

}  // namespace keel
