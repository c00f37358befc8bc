// One cycle (Smith and Topin, arXiv 1708.07120) in its common form of two half cosines: from
// 1 / div up to the peak over the share `rise` of the steps, then down to 1 / (div * final_div).
// Momentum stays as it is. Rises by itself: no schedule.warmup.
#pragma once

#include "optim/schedule.h"

namespace keel {

class OneCycleSchedule final : public Schedule {
 public:
  struct Config final : ScheduleOptions {
    double rise = 0.3;
    double div = 25;
    double final_div = 1e4;
    void fields(Fields& f) override;
    std::string misfit(const ScheduleArgs& args) const override {
      return warmup_misfit("one_cycle", args);
    }
  };
  OneCycleSchedule(const Config& config, const ScheduleArgs& args);

 private:
  double shape(double s) const override;
  Config config_;
  double top_;  // the step of the peak
};

}  // namespace keel
