// The moving average of the weights: a = keep a + (1 - keep) w after each step, and the exchange of
// the two while the average is evaluated. No gradient.
#pragma once

#include "core/device.h"

namespace keel::kernel {

struct UpdateAverage {
  Tensor average, value;  // f32, contiguous, of one size
  float keep;
};
void update_average(Cpu&, const UpdateAverage&);

struct Swap {
  Tensor a, b;  // f32, contiguous, of one size
};
void swap(Cpu&, const Swap&);

}  // namespace keel::kernel
