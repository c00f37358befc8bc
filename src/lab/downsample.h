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

// The mean of the `window` (odd) finite values around each point, which does not lag behind a
// falling curve; towards the ends the window narrows to what both sides have. NaN where none of the
// values around is finite.
Curve smooth(const Curve& curve, size_t window);
// The window that pictures use for a curve of `count` points: a fiftieth of it, 5 to 201.
size_t smooth_window(size_t count);

}  // namespace keel
