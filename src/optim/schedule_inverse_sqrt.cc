#include "optim/schedule_inverse_sqrt.h"

#include <algorithm>
#include <cmath>

namespace keel {

double InverseSqrtSchedule::shape(int64_t s) const {
  const auto warmup = static_cast<double>(std::max<int64_t>(args().warmup, 1));
  return std::sqrt(warmup / static_cast<double>(s + 1));
}

}  // namespace keel
