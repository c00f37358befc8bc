#include "backend/cpu/gemm_table.h"

namespace keel {

std::span<const MeasuredCut> measured_cuts(DType) { return {}; }

}  // namespace keel
