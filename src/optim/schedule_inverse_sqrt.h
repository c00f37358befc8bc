// sqrt(warmup / (s + 1)), so that it meets the warm-up where that ends (without one: as if it were
// one step long).
#pragma once

#include "optim/schedule.h"

namespace keel {

class InverseSqrtSchedule final : public Schedule {
 public:
  using Config = NoOptions;
  InverseSqrtSchedule(const Config&, const ScheduleArgs& args) : Schedule(args) {}

 private:
  double shape(double s) const override;
};

}  // namespace keel
