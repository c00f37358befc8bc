// Warm-up, stable, decay: the peak until the last share of the steps, in which the rate falls in a
// straight line to `final` (Hu et al., arXiv 2404.06395; Hagele et al., arXiv 2405.18392).
#pragma once

#include "optim/schedule.h"

namespace keel {

class WsdSchedule final : public Schedule {
 public:
  struct Config final : ScheduleOptions {
    double final = 0.1;
    double decay = 0.2;
    void fields(Fields& f) override;
    std::string misfit(const ScheduleArgs& args) const override;
    int64_t decay_steps(int64_t steps) const;
  };
  WsdSchedule(const Config& config, const ScheduleArgs& args);

 private:
  double shape(double s) const override;
  Config config_;
  int64_t decay_steps_;
};

}  // namespace keel
