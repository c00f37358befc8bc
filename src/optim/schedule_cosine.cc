#include "optim/schedule_cosine.h"

#include <cmath>
#include <numbers>

namespace keel {

void CosineSchedule::Config::fields(Fields& f) {
  f("final", final, "the rate at the end, as a share of the peak", between(0, 1));
}

double CosineSchedule::shape(double s) const {
  const double half = 0.5 * (1 + std::cos(std::numbers::pi * progress(s)));
  return config_.final + (1 - config_.final) * half;
}

}  // namespace keel
