// One cycle (Smith and Topin, arXiv 1708.07120) in its common form of two half cosines: from
// 1 / div up to the peak over the share `rise` of the steps, then down to 1 / (div * final_div).
// With cycle_momentum the optimizer's momentum goes the other way: from momentum_high down to
// momentum_low at the peak, and back. Rises by itself: no schedule.warmup.
#pragma once

#include "optim/schedule.h"

namespace keel {

class OneCycleSchedule final : public Schedule {
 public:
  struct Config final : ScheduleOptions {
    double rise = 0.3;
    double div = 25;
    double final_div = 1e4;
    bool cycle_momentum = false;
    double momentum_high = 0.95, momentum_low = 0.85;
    void fields(Fields& f) override;
    void validate(Errors& errors) const override;
    std::string misfit(const ScheduleArgs& args) const override {
      return warmup_misfit("one_cycle", args);
    }
    bool sets_momentum() const override { return cycle_momentum; }
  };
  OneCycleSchedule(const Config& config, const ScheduleArgs& args);

  std::optional<double> momentum(double step) const override;

 private:
  double shape(double s) const override;
  // From `first` to `top` while the rate rises, then to `last`.
  double cycle(double s, double first, double top, double last) const;
  Config config_;
  double top_;  // the step of the peak
};

}  // namespace keel
