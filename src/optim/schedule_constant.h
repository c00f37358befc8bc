// The peak rate from the warm-up to the end.
#pragma once

#include "optim/schedule.h"

namespace keel {

class ConstantSchedule final : public Schedule {
 public:
  using Config = NoOptions;
  ConstantSchedule(const Config&, const ScheduleArgs& args) : Schedule(args) {}

 private:
  double shape(double s) const override;
};

}  // namespace keel
