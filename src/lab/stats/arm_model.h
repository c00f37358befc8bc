// The two-way model of every comparison: the value of arm a with seed s is
//   y_as = mu_a + b_s + e_as,   b_s ~ N(0, seed_sd^2),   e_as ~ N(0, residual_sd^2),
// one residual for all arms, the seed as block. In a difference between arms the block cancels; the
// interval of one arm's mu_a is for the seeds that might have been drawn. Values may be censored,
// as a frontier is that lies between two rates or beyond the last one. docs/statistics.md says
// more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace keel {

// What is known of y_as: that it lies in (low, high]; exact when the two are equal, censored to the
// right when high is infinite, to the left when low is.
struct Observation {
  size_t arm = 0;
  int64_t seed = 0;
  double low = 0, high = 0;

  bool exact() const { return low == high; }
};

enum class Censored { kNone, kLeft, kRight };

struct Interval {
  double low = 0, high = 0;  // may be infinite
  bool contains(double x) const { return low <= x && x <= high; }
};

struct Estimate {
  // Of an arm that is censored in all seeds the bound itself; NaN for a contrast with such an arm.
  double value = 0;
  Censored censored = Censored::kNone;  // kRight: the truth is beyond value or at infinity
  double standard_error = 0;            // infinite where an end of the interval is
  double df = 0;                        // of the t distribution behind the interval
  double p = 1;  // two-sided, of "the truth is 0"; NaN for what is no difference between arms
  // None when the data allow none: a single seed, no degrees of freedom.
  std::optional<Interval> interval;
};

class ArmModel {
 public:
  virtual ~ArmModel() = default;
  virtual size_t arms() const = 0;
  virtual size_t seeds() const = 0;
  virtual double residual_sd() const = 0;  // NaN without degrees of freedom
  virtual double residual_df() const = 0;  // of differences between arms
  // 0 where the estimate of its square is negative; of one arm alone the spread of all seeds, as
  // the residual cannot be told apart.
  virtual double seed_sd() const = 0;
  // sum_a weights[a] * mu_a with its interval at `level`, in (0, 1). DataError for another number
  // of weights than arms, weights that are not finite or all 0, a level outside (0, 1).
  virtual Estimate estimate(std::span<const double> weights, double level = 0.95) const = 0;

  Estimate arm(size_t a, double level = 0.95) const;
};

// Least squares when all observations are exact, else maximum likelihood. Arms are numbered from 0
// without gaps, seeds are any numbers; cells may be missing. DataError: no observation, an arm
// without any, a cell twice, bounds that are not numbers or in the wrong order, arms that are not
// connected by common seeds.
std::unique_ptr<ArmModel> fit_arms(std::span<const Observation> observations);
// As fit_arms, by maximum likelihood also when all are exact.
std::unique_ptr<ArmModel> fit_arms_by_likelihood(std::span<const Observation> observations);

}  // namespace keel
