#include "optim/schedule_wsd.h"

#include <fmt/format.h>

#include <cmath>

namespace keel {

void WsdSchedule::Config::fields(Fields& f) {
  f("final", final, "the rate at the end, as a share of the peak", between(0, 1));
  f("decay", decay, "share of the steps, at the end, in which the rate falls", between(0, 1));
}

int64_t WsdSchedule::Config::decay_steps(int64_t steps) const {
  return std::llround(decay * static_cast<double>(steps));
}

std::string WsdSchedule::Config::misfit(const ScheduleArgs& args) const {
  const int64_t falling = decay_steps(args.steps);
  if (args.warmup + falling <= args.steps) return "";
  return fmt::format(
      "{} warm-up steps and {} steps of decay (schedule.decay = {}) do not fit into {} steps",
      args.warmup, falling, decay, args.steps);
}

WsdSchedule::WsdSchedule(const Config& config, const ScheduleArgs& args)
    : Schedule(args), config_(config), decay_steps_(config.decay_steps(args.steps)) {}

double WsdSchedule::shape(double s) const {
  const auto begin = static_cast<double>(args().steps - decay_steps_);
  if (s <= begin) return 1;
  const double done = (s - begin) / static_cast<double>(decay_steps_);
  return 1 - (1 - config_.final) * done;
}

}  // namespace keel
