// The learning rate over time, as a factor of its peak. A pure function of the step, so there is
// nothing to save. A variant is one file pair and one line in schedule_registry.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "config/registry.h"

namespace keel {

struct ScheduleArgs {
  int64_t warmup = 0;  // steps
  int64_t steps = 0;   // length of the schedule, the warm-up included
  int64_t dim = 0;     // width of the model
};

// The root of those schedules' options that do not go with every warm-up and length.
struct ScheduleOptions : Config {
  // Why not, or "".
  virtual std::string misfit(const ScheduleArgs& args) const = 0;
  // Whether Schedule::momentum gives one.
  virtual bool sets_momentum() const { return false; }
};
// What shapes say that rise by themselves.
std::string warmup_misfit(std::string_view kind, const ScheduleArgs& args);

class Schedule {
 public:
  explicit Schedule(const ScheduleArgs& args) : args_(args) {}
  Schedule(const Schedule&) = delete;
  Schedule& operator=(const Schedule&) = delete;
  virtual ~Schedule() = default;

  // Factor in [0, 1] of step s, counted from 0: (s + 1) / warmup during the warm-up (s < warmup),
  // then shape(s); from step `steps` on the value of that step. Steps are those of a full batch:
  // while the batch grows they are fractions, and s + 1 is what has been seen at the step's end.
  double factor(double step) const;
  // Decay rate of the optimizer's momentum (Adam's beta1) in that step; none: the optimizer's own.
  virtual std::optional<double> momentum(double /*step*/) const { return std::nullopt; }
  // What the optimizer's rate is multiplied by at factor 1.
  virtual double scale() const { return 1; }
  const ScheduleArgs& args() const { return args_; }

 protected:
  // s in [warmup, steps].
  virtual double shape(double s) const = 0;
  // 0 in step `warmup`, 1 in step `steps`.
  double progress(double s) const;

 private:
  ScheduleArgs args_;
};

const Registry<Schedule, const ScheduleArgs&>& schedules();

// The table [schedule].
struct ScheduleConfig final : Config {
  Variant<Schedule, const ScheduleArgs&> kind{schedules(), "cosine"};
  int64_t warmup = 0;
  int64_t steps = 0;
  void fields(Fields& f) override {
    f.kind(kind, "shape of the learning rate after the warm-up");
    f("warmup", warmup, "steps (of a full batch) over which the rate rises linearly to its peak",
      between(0, 1e12));
    f("steps", steps,
      "length of the schedule in steps of a full batch, then the rate stays; 0: that of the "
      "train.steps of the first run",
      between(0, 1e12));
  }
  void validate(Errors& errors) const override;
};

// Why there is no such schedule, or "": the warm-up is longer than it, or the variant's parts do
// not fit into it.
std::string schedule_misfit(const ScheduleConfig& config, int64_t train_steps);

// The schedule of a run of train_steps steps (used where config.steps is 0) of a model of width
// dim. ConfigError when it is a misfit.
std::unique_ptr<Schedule> make_schedule(const ScheduleConfig& config, int64_t train_steps,
                                        int64_t dim = 0);

}  // namespace keel
