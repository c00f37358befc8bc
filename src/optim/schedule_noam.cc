#include "optim/schedule_noam.h"

#include <algorithm>
#include <cmath>

namespace keel {

void NoamSchedule::Config::fields(Fields& f) {
  f("dim", dim, "width that the rate is divided by the root of; 0: model.dim", at_least(0));
}

NoamSchedule::NoamSchedule(const Config& config, const ScheduleArgs& args)
    : Schedule(args),
      dim_(static_cast<double>(std::max<int64_t>(config.dim > 0 ? config.dim : args.dim, 1))),
      warmup_(static_cast<double>(std::max<int64_t>(args.warmup, 1))) {}

double NoamSchedule::scale() const { return 1 / std::sqrt(dim_ * warmup_); }

double NoamSchedule::shape(double s) const { return std::sqrt(warmup_ / (s + 1)); }

}  // namespace keel
