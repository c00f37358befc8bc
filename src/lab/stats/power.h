// How many seeds would resolve a difference between arms.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace keel {

// Probability that the two-sided t test at `alpha` finds a true difference: sd is the standard
// deviation of the contrast in one seed (residual_sd * sqrt(sum of squared weights)), the test has
// (arms - 1) * (seeds - 1) degrees of freedom. arms, seeds >= 2. DataError for sd <= 0, alpha
// outside (0, 1).
double power_of_seeds(double difference, double sd, size_t arms, int64_t seeds,
                      double alpha = 0.05);

// The smallest number of seeds with at least this power; none above a million seeds, as for a
// difference of 0.
std::optional<int64_t> seeds_to_resolve(double difference, double sd, size_t arms,
                                        double alpha = 0.05, double power = 0.8);

}  // namespace keel
