// Cuts that were measured (bench/tune_gemm.cc, `make tune`) for the shapes of the presets. A table
// is chosen by dtype alone: what a shape is cut into must not depend on the machine.
#pragma once

#include <cstdint>
#include <span>

#include "backend/cpu/gemm.h"

namespace keel {

struct MeasuredCut {
  int32_t m, n, k;
  GemmForm form;
  int16_t rows, columns;
  bool pack;
};

std::span<const MeasuredCut> measured_cuts(DType type);

}  // namespace keel
