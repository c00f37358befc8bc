// What elementwise optimizers keep for each parameter: up to two flat buffers of moments, the count
// of updates, and the memory cut into the parts that the kernels take.
#pragma once

#include <vector>

#include "ops/update.h"
#include "optim/optimizer.h"

namespace keel {

class Moments {
 public:
  // `names`: of the moments, "m" first, then "v"; zeroed memory of 4 bytes a parameter each.
  // Throws ShapeError, MemoryError.
  Moments(const Params& params, std::vector<std::string> names);

  // Empty on kMeta.
  const std::vector<kernel::UpdatePart>& parts() const { return parts_; }
  // Working memory for a number of each parameter.
  kernel::UpdateSums sums() const { return {first_, partial_, scale_}; }
  const Tensor& updates() const { return updates_; }  // i32 [1]
  // "m/NAME", "v/NAME" of each parameter, then "updates".
  std::vector<StateTensor> state() const;

 private:
  void cut(const Param& p, int64_t at);

  Params params_;
  std::vector<std::string> names_;
  std::vector<Tensor> moments_;
  Tensor updates_, partial_, scale_;
  std::vector<kernel::UpdatePart> parts_;
  std::vector<int64_t> first_;
};

}  // namespace keel
