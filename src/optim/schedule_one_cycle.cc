#include "optim/schedule_one_cycle.h"

#include <cmath>
#include <numbers>

namespace keel {
namespace {

double half_cosine(double from, double to, double progress) {
  return to + (from - to) * 0.5 * (1 + std::cos(std::numbers::pi * progress));
}

}  // namespace

void OneCycleSchedule::Config::fields(Fields& f) {
  f("rise", rise, "share of the steps in which the rate rises", between(0, 1));
  f("div", div, "the peak over the first rate", at_least(1));
  f("final_div", final_div, "the first rate over the last one", at_least(1));
}

OneCycleSchedule::OneCycleSchedule(const Config& config, const ScheduleArgs& args)
    : Schedule(args),
      config_(config),
      top_(std::round(config.rise * static_cast<double>(args.steps))) {}

double OneCycleSchedule::shape(double s) const {
  const double first = 1 / config_.div, last = first / config_.final_div;
  if (s < top_) return half_cosine(first, 1, s / top_);
  const double fall = static_cast<double>(args().steps) - top_;
  return half_cosine(1, last, fall > 0 ? (s - top_) / fall : 0.0);
}

}  // namespace keel
