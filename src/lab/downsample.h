// Long curves made short for a page without losing what matters in them: each bucket of steps
// keeps its smallest and its largest value, so that a spike of one step is still drawn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace keel {

// One metric over time; steps ascend, both vectors have the same length.
struct Curve {
  std::vector<int64_t> steps;
  std::vector<double> values;

  size_t size() const { return steps.size(); }
};

// At most `max_points` (>= 8) points of `curve`, in its order: first and last, of each bucket of
// equal width in steps the smallest and the largest finite value and the first non-finite one.
// A curve that is short enough is returned as it is.
Curve downsample(const Curve& curve, size_t max_points);

// RunningMean (decay 0.98) after each point; where the value is not finite the mean stays.
Curve running_mean(const Curve& curve);

}  // namespace keel
