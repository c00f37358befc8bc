#include "optim/schedule_linear.h"

namespace keel {

void LinearSchedule::Config::fields(Fields& f) {
  f("final", final, "the rate at the end, as a share of the peak", between(0, 1));
}

double LinearSchedule::shape(double s) const { return 1 - (1 - config_.final) * progress(s); }

}  // namespace keel
