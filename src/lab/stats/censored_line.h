// A straight line through values that may be censored, y = intercept + slope * x + e with normal e:
// how a frontier goes with the size of a model, in logarithms.
#pragma once

#include <optional>
#include <span>

#include "lab/stats/arm_model.h"

namespace keel {

// y lies in (low, high]; exact when the two are equal. At least one end is finite.
struct LinePoint {
  double x = 0, low = 0, high = 0;
};

struct LineFit {
  double intercept = 0, slope = 0, sd = 0;
  double df = 0;
  Interval slope_interval;  // ends may be infinite
};

// By restricted maximum likelihood, so that exact points give least squares; the interval of the
// slope is where twice the drop of the profile is at most df log(1 + t^2 / df), which is Student's
// where all are exact. Nothing with fewer than three points that are bounded on both sides, or
// where these have only one x. DataError for an x or bounds that are not numbers, or bounds in the
// wrong order.
std::optional<LineFit> fit_censored_line(std::span<const LinePoint> points, double level = 0.95);

}  // namespace keel
