#include "optim/schedule_one_cycle.h"

#include <fmt/format.h>

#include <algorithm>
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
  f("cycle_momentum", cycle_momentum,
    "the optimizer's momentum (Adam's first beta) falls while the rate rises, then rises again");
  f("momentum_high", momentum_high, "momentum at both ends of a cycle", at_least(0).below(1));
  f("momentum_low", momentum_low, "momentum at the peak rate", at_least(0).below(1));
}

void OneCycleSchedule::Config::validate(Errors& errors) const {
  if (momentum_low <= momentum_high) return;
  errors.add(
      "momentum_low",
      fmt::format("{} is more than schedule.momentum_high = {}", momentum_low, momentum_high),
      {"momentum_high"});
}

OneCycleSchedule::OneCycleSchedule(const Config& config, const ScheduleArgs& args)
    : Schedule(args),
      config_(config),
      top_(std::round(config.rise * static_cast<double>(args.steps))) {}

double OneCycleSchedule::cycle(double s, double first, double top, double last) const {
  if (s < top_) return half_cosine(first, top, s / top_);
  const double fall = static_cast<double>(args().steps) - top_;
  return half_cosine(top, last, fall > 0 ? (s - top_) / fall : 0.0);
}

double OneCycleSchedule::shape(double s) const {
  const double first = 1 / config_.div;
  return cycle(s, first, 1, first / config_.final_div);
}

std::optional<double> OneCycleSchedule::momentum(double step) const {
  if (!config_.cycle_momentum) return std::nullopt;
  const double s = std::clamp(step, 0.0, static_cast<double>(args().steps));
  return cycle(s, config_.momentum_high, config_.momentum_low, config_.momentum_high);
}

}  // namespace keel
