// out = x[count-1] + (... + (x[1] + (x[0] + tail))): one pass over any number of equal buffers.
#pragma once

#include <array>
#include <cstdint>

#include "core/device.h"

namespace keel::kernel {

struct GradientSum {
  static constexpr int kMax = 62;
  std::array<const float*, kMax> x;  // `size` values each
  int count;                         // 0: out = tail
  const float* tail;
  float* out;  // may be tail or one of x
  int64_t size;
};
void gradient_sum(Cpu&, const GradientSum&);

}  // namespace keel::kernel
