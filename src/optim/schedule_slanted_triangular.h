// The slanted triangle of ULMFiT (Howard and Ruder, arXiv 1801.06146, equation 3): cut =
// floor(steps * cut_frac); p = s / cut up to the cut, then 1 - (s - cut) / (cut (1 / cut_frac -
// 1)); factor = (1 + p (ratio - 1)) / ratio. Rises by itself: no schedule.warmup.
#pragma once

#include "optim/schedule.h"

namespace keel {

class SlantedTriangularSchedule final : public Schedule {
 public:
  struct Config final : ScheduleOptions {
    double cut_frac = 0.1;
    double ratio = 32;
    void fields(Fields& f) override;
    std::string misfit(const ScheduleArgs& args) const override {
      return warmup_misfit("slanted_triangular", args);
    }
  };
  SlantedTriangularSchedule(const Config& config, const ScheduleArgs& args);

 private:
  double shape(double s) const override;
  Config config_;
  double cut_;
};

}  // namespace keel
