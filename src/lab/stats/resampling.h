// What can be said without a normal distribution: sign flips over paired seeds, the smallest p that
// so many seeds can give, and the bootstrap, which is refused below 20 seeds because its intervals
// are too narrow there.
#pragma once

#include <cstdint>
#include <span>

#include "lab/stats/arm_model.h"

namespace keel {

constexpr size_t kBootstrapLeastSeeds = 20;
constexpr size_t kSignFlipMostSeeds = 20;

// The smallest two-sided p of a test that flips the signs of paired differences (2 / 2^seeds), and
// of one that permutes seeds between two arms that share none (2 over the number of ways to divide
// them, 1 over it where the arms differ in size). 1 without seeds.
double smallest_sign_flip_p(size_t seeds);
double smallest_permutation_p(size_t seeds_a, size_t seeds_b);

// Exact two-sided p of "the differences are symmetric about 0": the share of all sign flips whose
// sum is as far from 0 as the sum observed. DataError for none, more than kSignFlipMostSeeds, or
// differences that are not finite.
double sign_flip_p(std::span<const double> differences);

// Interval of the mean of one value for each seed by the studentised bootstrap (Efron and
// Tibshirani, An Introduction to the Bootstrap, 12.5), the same for the same `seed`. DataError
// below kBootstrapLeastSeeds values, for equal ones, for fewer than 1000 resamples and a level
// outside (0, 1).
Interval bootstrap_interval(std::span<const double> values, double level, int64_t resamples,
                            uint64_t seed);

}  // namespace keel
