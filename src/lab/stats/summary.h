// Numbers that sum up a sample.
#pragma once

#include <vector>

namespace keel {

// All are NaN for an empty sample. The quantile is the value below which a share q lies, between
// neighbours by proportion (type 7 of Hyndman and Fan, "Sample quantiles in statistical packages",
// 1996).
double mean(const std::vector<double>& values);
double median(std::vector<double> values);
double quantile(std::vector<double> values, double q);

}  // namespace keel
