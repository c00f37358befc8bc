// Measuring what a linear gives, on its way to whoever reads it.
#pragma once

#include "nn/pass.h"
#include "ops/square_sums.h"

namespace keel {

// y itself, its RMS put down in the pass's probes where they want outputs. No handle on y stays, so
// that memory is laid out as without.
inline Var probed(Var y, const Pass& pass, int64_t layer, double OutputProbe::*where) {
  if (pass.probes && pass.probes->outputs_wanted) {
    pass.probes->outputs[static_cast<size_t>(layer)].*where = root_mean_square(y.t);
  }
  return y;
}

}  // namespace keel
