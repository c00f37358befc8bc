// The two-way model by restricted maximum likelihood: observations may be censored to the left, to
// the right or to an interval (a Tobit model with random blocks). Intervals come from the profile
// likelihood, with the bound that gives Student's t interval where nothing is censored.
#pragma once

#include <memory>

#include "lab/stats/arm_data.h"

namespace keel {

// The likelihood of the model, without a fit: parameters are mu of each arm, log(residual_sd) and,
// with more than one arm, log(seed_sd).
class CensoredLikelihood {
 public:
  explicit CensoredLikelihood(const ArmData& data);
  size_t parameters() const { return arms_ + (blocks_ ? 2 : 1); }
  // The log-likelihood; writes its gradient. -infinity, without a gradient, where a mean is not
  // finite or the logarithm of a spread is beyond 100. Blocks are integrated out by the trapezoid
  // rule, whose error for such integrands is below 1e-10 (Trefethen and Weideman, SIAM Review 56,
  // 2014).
  double operator()(std::span<const double> parameters, std::span<double> gradient) const;

 private:
  using Cells = std::vector<ArmData::Cell>;
  struct Spread {
    double residual, seed;
  };
  struct Block;
  // The factor of one seed: given the block's value, or with it integrated out.
  double given_block(const Cells& cells, std::span<const double> means, Spread sd, double block,
                     std::span<double> gradient) const;
  double integrated(const Cells& cells, std::span<const double> means, Spread sd,
                    std::span<double> gradient) const;

  size_t arms_;
  bool blocks_;
  std::vector<Cells> seeds_;
};

struct Restriction;

class CensoredTwoWay final : public ArmModel {
 public:
  explicit CensoredTwoWay(ArmData data);
  size_t arms() const override { return data_.arms; }
  size_t seeds() const override { return data_.seeds; }
  double residual_sd() const override;
  double residual_df() const override;
  double seed_sd() const override;
  Estimate estimate(std::span<const double> weights, double level) const override;

  // Where the restricted likelihood is greatest, as CensoredLikelihood has it, without the arms
  // that are censored in all seeds; empty where there is no maximum.
  std::vector<double> parameters() const;

 private:
  struct Target;
  // Where arms without a finite estimate pull a sum of arms.
  struct Pull {
    bool up = false, down = false;
  };
  // Of a sum of arms: degrees of freedom, and the standard error if nothing were censored.
  struct Precision {
    double df, standard_error;
  };
  Precision precision_of(std::span<const double> weights) const;
  double bound_of(size_t arm, int side) const;
  double spread(size_t i) const;
  Pull pull_of(std::span<const double> weights) const;
  Target target_of(std::span<const double> weights) const;
  Restriction restriction() const;
  void set_bound(Estimate& e, std::span<const double> weights) const;
  void add_interval(Estimate& e, std::span<const double> weights, double level) const;

  ArmData data_;
  double range_, floor_;        // of the data; the least spread
  std::vector<int> unbounded_;  // of each arm: 1 or -1 where all its seeds are censored that way
  size_t bounded_arms_ = 0, bounded_cells_ = 0, informative_cells_ = 0;
  // Means of the bounded arms, then psi: spread = hypot(floor, e^psi). Empty without a fit.
  std::vector<double> at_;
  double log_likelihood_ = 0;
};

}  // namespace keel
