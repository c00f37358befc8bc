#include "optim/schedule_constant.h"
#include "optim/schedule_cosine.h"
#include "optim/schedule_inverse_sqrt.h"
#include "optim/schedule_linear.h"
#include "optim/schedule_noam.h"
#include "optim/schedule_one_cycle.h"
#include "optim/schedule_sgdr.h"
#include "optim/schedule_slanted_triangular.h"
#include "optim/schedule_wsd.h"

namespace keel {

const Registry<Schedule, const ScheduleArgs&>& schedules() {
  using R = Registry<Schedule, const ScheduleArgs&>;
  static const R r{
      "schedule",
      {R::entry<ConstantSchedule>("constant", "the peak rate after the warm-up"),
       R::entry<LinearSchedule>("linear", "a straight line to the final rate"),
       R::entry<CosineSchedule>("cosine", "half a cosine to the final rate"),
       R::entry<WsdSchedule>("wsd", "the peak rate, then a line to the final rate at the end"),
       R::entry<InverseSqrtSchedule>("inverse_sqrt", "falls with the root of the step"),
       R::entry<NoamSchedule>("noam", "inverse_sqrt, its peak from the model's width"),
       R::entry<SgdrSchedule>("sgdr", "half cosines with warm restarts"),
       R::entry<SlantedTriangularSchedule>("slanted_triangular",
                                           "a short rise and a long fall in straight lines"),
       R::entry<OneCycleSchedule>("one_cycle", "half a cosine up, then half a cosine far down")}};
  return r;
}

}  // namespace keel
