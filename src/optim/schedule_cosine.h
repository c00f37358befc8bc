// Half a cosine from the peak in step `warmup` to `final` in step `steps` (Loshchilov and Hutter,
// arXiv 1608.03983, without restarts).
#pragma once

#include "optim/schedule.h"

namespace keel {

class CosineSchedule final : public Schedule {
 public:
  struct Config final : keel::Config {
    double final = 0.1;
    void fields(Fields& f) override;
  };
  CosineSchedule(const Config& config, const ScheduleArgs& args)
      : Schedule(args), config_(config) {}

 private:
  double shape(double s) const override;
  Config config_;
};

}  // namespace keel
