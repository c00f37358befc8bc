// The schedule of the first transformer (Vaswani et al., arXiv 1706.03762, section 5.3):
// rate = optim.lr * dim^-1/2 * min(t^-1/2, t * warmup^-3/2), t = 1 in the first step. optim.lr is
// the constant that multiplies it (1 in the paper), not the peak, which is lr / sqrt(dim * warmup).
#pragma once

#include "optim/schedule.h"

namespace keel {

class NoamSchedule final : public Schedule {
 public:
  struct Config final : keel::Config {
    int64_t dim = 0;
    void fields(Fields& f) override;
  };
  NoamSchedule(const Config& config, const ScheduleArgs& args);

  double scale() const override;

 private:
  double shape(double s) const override;
  double dim_, warmup_;
};

}  // namespace keel
