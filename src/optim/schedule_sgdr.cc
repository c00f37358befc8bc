#include "optim/schedule_sgdr.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace keel {

void SgdrSchedule::Config::fields(Fields& f) {
  f("t0", t0,
    "steps of the first cycle; 0: a fifteenth of those after the warm-up, so that four cycles that "
    "double fill them",
    between(0, 1e12));
  f("t_mult", t_mult, "length of a cycle over that of the one before", at_least(1));
  f("final", final, "the rate at the end of a cycle, as a share of the peak", between(0, 1));
}

SgdrSchedule::SgdrSchedule(const Config& config, const ScheduleArgs& args)
    : Schedule(args),
      config_(config),
      first_(config.t0 > 0 ? static_cast<double>(config.t0)
                           : std::max(1.0, static_cast<double>(args.steps - args.warmup) / 15)) {}

double SgdrSchedule::shape(double s) const {
  double at = s - static_cast<double>(args().warmup), length = first_;
  if (config_.t_mult == 1) {
    at = std::fmod(at, length);
  } else {
    for (; at >= length; length *= config_.t_mult) at -= length;
  }
  // A run does not end with a restart that only the steps after it would see.
  const bool over = s >= static_cast<double>(args().steps) && at < 1 && s >= first_;
  const double progress = over ? 1 : at / length;
  const double half = 0.5 * (1 + std::cos(std::numbers::pi * progress));
  return config_.final + (1 - config_.final) * half;
}

}  // namespace keel
