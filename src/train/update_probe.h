// How far a step takes the matrices of the blocks: the RMS of the change over the RMS of what was
// changed, weight decay and QK-clip included. Of sigma-reparametrised and normalised linears it is
// that of the matrix as it is trained. The weights before the step are copied, into memory that the
// step's activations no longer need, and compared after it: one pass over them each, at steps that
// are probed alone, so that no optimizer has a word about it.
#pragma once

#include <vector>

#include "core/probes.h"
#include "optim/param.h"

namespace keel {

class UpdateProbe {
 public:
  UpdateProbe(const Params& params, int64_t layers);
  // A copy of the matrices, in the arena in force.
  Tensor copy() const;
  // Fills the update ratios of `probes`: infinite where the weights were 0 and are not now.
  void compare(const Tensor& before, Probes& probes) const;

 private:
  struct Matrix {
    Tensor weight;  // as one row
    size_t layer;
    int64_t at;  // in the copy
  };
  std::vector<Matrix> matrices_;
  int64_t elements_ = 0;
  DeviceKind device_ = DeviceKind::kCpu;
};

}  // namespace keel
