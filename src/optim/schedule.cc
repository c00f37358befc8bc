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

void Schedule::refuse_warmup(const char* kind) const {
  if (args_.warmup == 0) return;
  throw ConfigError(fmt::format("schedule: {} rises by itself; set schedule.warmup = 0 (it is {})",
                                kind, args_.warmup));
}

void ScheduleConfig::validate(Errors& errors) const {
  if (steps == 0 || warmup <= steps) return;
  errors.add("warmup", fmt::format("{} is more than schedule.steps = {}", warmup, steps));
}

std::unique_ptr<Schedule> make_schedule(const ScheduleConfig& config, int64_t train_steps,
                                        int64_t dim) {
  const ScheduleArgs args{config.warmup, config.steps > 0 ? config.steps : train_steps, dim};
  if (args.warmup > args.steps) {
    throw ConfigError(
        fmt::format("schedule: {} warm-up steps do not fit into {} steps; set schedule.warmup or "
                    "schedule.steps",
                    args.warmup, args.steps));
  }
  return schedules().make(config.kind, args);
}

}  // namespace keel
