// A picture of one run's loss for a README or a slide: train, running mean, validation and, where
// it is known, the entropy floor, as one SVG of a few kilobytes that follows light and dark.
#pragma once

#include <string>
#include <vector>

#include "lab/run_data.h"

namespace keel {

// 880 x 440 pixels, no script, nothing fetched. A run without a finite loss gives a picture that
// says so.
std::string loss_svg(const RunData& run);

// About `count` round numbers (1, 2 or 5 times a power of ten apart) that lie in
// [low, high]; low < high.
std::vector<double> round_ticks(double low, double high, int count);

}  // namespace keel
