// Written by `make tune` (bench/tune_gemm.cc): oneDNN 2.6.3, avx512_core_amx.
#include "backend/cpu/gemm_table.h"

namespace keel {
namespace {

constexpr MeasuredCut kF32[] = {
    {128, 128, 768, GemmForm::kWeightGradient, 8, 1, false},
    {128, 128, 2048, GemmForm::kWeightGradient, 8, 1, false},
    {256, 768, 768, GemmForm::kForward, 1, 16, false},
    {256, 768, 2304, GemmForm::kInputGradient, 4, 4, false},
    {256, 768, 4096, GemmForm::kInputGradient, 4, 4, false},
    {384, 128, 768, GemmForm::kWeightGradient, 8, 1, false},
    {384, 128, 2048, GemmForm::kWeightGradient, 8, 1, false},
    {768, 384, 128, GemmForm::kForward, 1, 8, false},
    {768, 768, 128, GemmForm::kForward, 2, 4, false},
    {1024, 384, 64, GemmForm::kForward, 2, 4, false},
    {2048, 128, 688, GemmForm::kInputGradient, 16, 1, false},
    {2048, 384, 128, GemmForm::kForward, 2, 8, true},
    {2048, 384, 1024, GemmForm::kForward, 4, 4, true},
    {2048, 384, 1152, GemmForm::kInputGradient, 8, 2, false},
    {2048, 1024, 384, GemmForm::kInputGradient, 8, 2, true},
    {50304, 768, 256, GemmForm::kWeightGradient, 16, 1, false},
};

constexpr MeasuredCut kBf16[] = {
    {64, 64, 1024, GemmForm::kWeightGradient, 2, 1, false},
    {96, 128, 768, GemmForm::kWeightGradient, 2, 1, false},
    {128, 128, 768, GemmForm::kWeightGradient, 2, 1, false},
    {128, 128, 2048, GemmForm::kWeightGradient, 2, 2, false},
    {128, 344, 2048, GemmForm::kWeightGradient, 2, 4, false},
    {128, 384, 768, GemmForm::kWeightGradient, 2, 2, false},
    {256, 768, 50304, GemmForm::kInputGradient, 1, 8, false},
    {256, 2048, 768, GemmForm::kInputGradient, 1, 8, false},
    {256, 4096, 768, GemmForm::kForward, 2, 16, false},
    {256, 50304, 768, GemmForm::kForward, 1, 16, false},
    {512, 768, 50304, GemmForm::kInputGradient, 2, 4, false},
    {512, 50304, 768, GemmForm::kForward, 2, 16, false},
    {688, 128, 2048, GemmForm::kWeightGradient, 8, 1, false},
    {768, 128, 96, GemmForm::kInputGradient, 2, 1, false},
    {768, 2048, 256, GemmForm::kWeightGradient, 4, 8, false},
    {768, 2048, 1024, GemmForm::kWeightGradient, 4, 4, false},
    {1024, 64, 192, GemmForm::kForward, 4, 1, false},
    {1024, 64, 256, GemmForm::kInputGradient, 4, 1, false},
    {1024, 768, 768, GemmForm::kInputGradient, 16, 1, true},
    {1024, 768, 2304, GemmForm::kInputGradient, 4, 2, false},
    {1024, 768, 4096, GemmForm::kInputGradient, 4, 4, false},
    {1024, 4096, 768, GemmForm::kForward, 4, 8, false},
    {2048, 128, 128, GemmForm::kInputGradient, 8, 1, false},
    {2048, 384, 384, GemmForm::kForward, 16, 1, true},
    {2048, 384, 384, GemmForm::kInputGradient, 8, 1, true},
    {2048, 1024, 384, GemmForm::kInputGradient, 16, 1, true},
};

}  // namespace

std::span<const MeasuredCut> measured_cuts(DType type) {
  if (type == DType::kBf16) return kBf16;
  return kF32;
}

}  // namespace keel
