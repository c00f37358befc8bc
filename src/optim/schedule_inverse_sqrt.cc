#include "optim/schedule_inverse_sqrt.h"

#include <algorithm>
#include <cmath>

namespace keel {

double InverseSqrtSchedule::shape(double s) const {
  const auto warmup = static_cast<double>(std::max<int64_t>(args().warmup, 1));
  return std::sqrt(warmup / (s + 1));
}

}  // namespace keel
