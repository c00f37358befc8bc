#include "optim/schedule.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"

namespace keel {

double Schedule::factor(double step) const {
  const double s = std::min(step, static_cast<double>(args_.steps));
  const auto warmup = static_cast<double>(args_.warmup);
  if (s < warmup) return std::min(1.0, (s + 1) / warmup);
  return shape(std::max(s, 0.0));
}

double Schedule::progress(double s) const {
  if (args_.steps <= args_.warmup) return 1;
  return (s - static_cast<double>(args_.warmup)) / static_cast<double>(args_.steps - args_.warmup);
}

std::string warmup_misfit(std::string_view kind, const ScheduleArgs& args) {
  if (args.warmup == 0) return "";
  return fmt::format("{} rises by itself; set schedule.warmup = 0 (it is {})", kind, args.warmup);
}

void ScheduleConfig::validate(Errors& errors) const {
  if (steps == 0 || warmup <= steps) return;
  errors.add("warmup", fmt::format("{} is more than schedule.steps = {}", warmup, steps),
             {"steps"});
}

namespace {

ScheduleArgs args_of(const ScheduleConfig& config, int64_t train_steps, int64_t dim) {
  return {config.warmup, config.steps > 0 ? config.steps : train_steps, dim};
}

}  // namespace

std::string schedule_misfit(const ScheduleConfig& config, int64_t train_steps) {
  const ScheduleArgs args = args_of(config, train_steps, 0);
  if (args.warmup > args.steps) {
    return fmt::format(
        "{} warm-up steps do not fit into {} steps; set schedule.warmup or schedule.steps",
        args.warmup, args.steps);
  }
  const auto* options = dynamic_cast<const ScheduleOptions*>(&config.kind.options());
  return options ? options->misfit(args) : "";
}

std::unique_ptr<Schedule> make_schedule(const ScheduleConfig& config, int64_t train_steps,
                                        int64_t dim) {
  const std::string misfit = schedule_misfit(config, train_steps);
  if (!misfit.empty()) throw ConfigError("schedule: " + misfit);
  return schedules().make(config.kind, args_of(config, train_steps, dim));
}

}  // namespace keel
