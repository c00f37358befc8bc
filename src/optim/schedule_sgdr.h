// Warm restarts (Loshchilov and Hutter, arXiv 1608.03983, equation 5): half a cosine from the peak
// to `final` over T_i steps, then from the peak again, T_{i+1} = t_mult * T_i. The cycles begin
// after the warm-up; the optimizer's state is not reset. Each restart raises the loss by design.
#pragma once

#include "optim/schedule.h"

namespace keel {

class SgdrSchedule final : public Schedule {
 public:
  struct Config final : keel::Config {
    int64_t t0 = 0;
    double t_mult = 2;
    double final = 0;
    void fields(Fields& f) override;
  };
  SgdrSchedule(const Config& config, const ScheduleArgs& args);

 private:
  double shape(double s) const override;
  Config config_;
  double first_;  // steps of the first cycle
};

}  // namespace keel
