// Matrix products on the CPU through oneDNN, with cached primitives. The output is cut into slices
// fixed by the shape, each one a single-threaded primitive, so that the bits do not depend on the
// number of threads (a multi-threaded primitive splits K when the output is small).
#pragma once

#include <cstdint>
#include <string>

#include "core/device.h"
#include "core/tensor.h"

namespace keel {

// c = op(a) op(b) (+ c) (+ bias), op(x) = x or its transpose. a, b, c are two-dimensional with a
// contiguous last axis and any row stride; a and b share a dtype (f32 or bf16), c is that or f32,
// bias is f32 [columns of c] or empty. Shapes: op(a) [m, k], op(b) [k, n], c [m, n].
struct Gemm {
  Tensor a, b, c;
  bool a_transposed = false;
  bool b_transposed = false;
  bool accumulate = false;  // c += instead of c =
  Tensor bias{};
};
void gemm(Cpu&, const Gemm& g);
void gemm(Cuda&, const Gemm& g);  // src/backend/cuda/gemm.cc, through cuBLASLt
// Two products, neither of which reads what the other writes, in one parallel region: short ones
// leave fewer threads idle at their end.
void gemm_pair(Cpu&, const Gemm& first, const Gemm& second);
void gemm_pair(Cuda&, const Gemm& first, const Gemm& second);

// The products of a linear layer: neither a nor b transposed (kInputGradient), b (kForward), or a.
enum class GemmForm : uint8_t { kForward, kInputGradient, kWeightGradient };
constexpr GemmForm gemm_form(bool a_transposed, bool b_transposed) {
  if (a_transposed) return GemmForm::kWeightGradient;
  return b_transposed ? GemmForm::kForward : GemmForm::kInputGradient;
}

// How the output of one product is cut: a pure function of shape, dtype and instruction set.
struct GemmCut {
  int rows = 1;       // slices along m
  int columns = 1;    // slices along n
  bool pack = false;  // b is first reordered into oneDNN's blocked layout, in the shared scratch
  bool turn =
      false;  // a slice of a transposed a is first laid out by rows, in the worker's scratch
  bool operator==(const GemmCut&) const = default;
};
// The rule for shapes that are not in the table of measured cuts.
GemmCut rule_cut(int64_t m, int64_t n, int64_t k, GemmForm form, DType type);
GemmCut gemm_cut(int64_t m, int64_t n, int64_t k, GemmForm form, DType type);
// For the tuner and its test only: runs g cut in the way given.
void gemm_with_cut(Cpu&, const Gemm& g, GemmCut cut);

bool cpu_has_bf16();  // oneDNN runs bf16 products natively here (ONEDNN_MAX_CPU_ISA respected)
std::string onednn_version();
std::string onednn_isa();

}  // namespace keel
