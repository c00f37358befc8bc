#include "optim/schedule.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"

namespace keel {

double Schedule::factor(int64_t step) const {
  const int64_t s = std::min(step, args_.steps);
  if (s < args_.warmup) return static_cast<double>(s + 1) / static_cast<double>(args_.warmup);
  return shape(s);
}

double Schedule::progress(int64_t s) const {
  if (args_.steps <= args_.warmup) return 1;
  return static_cast<double>(s - args_.warmup) / static_cast<double>(args_.steps - args_.warmup);
}

void ScheduleConfig::validate(Errors& errors) const {
  if (steps == 0 || warmup <= steps) return;
  errors.add("warmup", fmt::format("{} is more than schedule.steps = {}", warmup, steps));
}

std::unique_ptr<Schedule> make_schedule(const ScheduleConfig& config, int64_t train_steps) {
  const ScheduleArgs args{config.warmup, config.steps > 0 ? config.steps : train_steps};
  if (args.warmup > args.steps) {
    throw ConfigError(
        fmt::format("schedule: {} warm-up steps do not fit into {} steps; set schedule.warmup or "
                    "schedule.steps",
                    args.warmup, args.steps));
  }
  return schedules().make(config.kind, args);
}

}  // namespace keel
