// The restricted likelihood of the censored two-way model as a function to be maximised, with or
// without one linear constraint on the means.
#pragma once

#include "lab/stats/censored.h"

namespace keel {

// What the restriction counts: arms whose means are estimated and their cells for each seed.
struct Restriction {
  double arms = 0, cells_per_seed = 0;
};

class CensoredProfile {
 public:
  // Spreads are hypot(floor, exp(psi)): without a floor the likelihood of equal values has no
  // maximum.
  CensoredProfile(const ArmData& data, double floor, Restriction restriction)
      : likelihood_(data), arms_(data.arms), floor_(floor), restriction_(restriction) {}

  // Both move `at` (means, then psi) to the maximum and return its restricted log-likelihood; in
  // the second weights * means = target holds there.
  double maximize(std::vector<double>& at) const;
  double maximize(std::vector<double>& at, std::span<const double> weights, double target) const;

 private:
  double evaluate(std::span<const double> x, std::span<double> gradient) const;
  double restrict(std::span<const double> parameters, std::span<double> gradient) const;

  CensoredLikelihood likelihood_;
  size_t arms_;
  double floor_;
  Restriction restriction_;
};

}  // namespace keel
