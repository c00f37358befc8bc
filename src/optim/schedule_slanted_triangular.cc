#include "optim/schedule_slanted_triangular.h"

#include <algorithm>
#include <cmath>

namespace keel {

void SlantedTriangularSchedule::Config::fields(Fields& f) {
  f("cut_frac", cut_frac, "share of the steps in which the rate rises", above(0).below(1));
  f("ratio", ratio, "the peak over the lowest rate", at_least(1));
}

SlantedTriangularSchedule::SlantedTriangularSchedule(const Config& config, const ScheduleArgs& args)
    : Schedule(args),
      config_(config),
      cut_(std::max(1.0, std::floor(static_cast<double>(args.steps) * config.cut_frac))) {}

double SlantedTriangularSchedule::shape(double s) const {
  // Where the cut was rounded down the fall would end a little below the lowest rate.
  const double p =
      s < cut_ ? s / cut_ : std::max(0.0, 1 - (s - cut_) / (cut_ * (1 / config_.cut_frac - 1)));
  return (1 + p * (config_.ratio - 1)) / config_.ratio;
}

}  // namespace keel
