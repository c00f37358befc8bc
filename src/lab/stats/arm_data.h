// Observations of a two-way model, checked and with seeds numbered from 0.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "lab/stats/arm_model.h"

namespace keel {

struct ArmData {
  struct Cell {
    size_t arm, seed;
    double low, high;
    bool exact() const { return low == high; }
  };
  size_t arms = 0, seeds = 0;
  std::vector<Cell> cells;
};

// The errors of fit_arms.
ArmData check_observations(std::span<const Observation> observations);
// The errors of ArmModel::estimate.
void check_weights(std::span<const double> weights, size_t arms, double level);

// Whether weights sum to 0 but for rounding, so that blocks cancel.
bool is_difference(std::span<const double> weights);

// Squares whose sum, each weighted, estimates a variance; Satterthwaite's degrees of freedom
// (Biometrics Bulletin 2, 1946).
struct MeanSquare {
  double weight, value, df;
};
double satterthwaite_df(std::span<const MeanSquare> parts);

}  // namespace keel
