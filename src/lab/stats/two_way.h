// The two-way model by least squares: exact observations, cells may be missing.
#pragma once

#include "lab/stats/arm_data.h"
#include "lab/stats/linear.h"

namespace keel {

class TwoWay final : public ArmModel {
 public:
  explicit TwoWay(const ArmData& data);
  size_t arms() const override { return arms_; }
  size_t seeds() const override { return seeds_; }
  double residual_sd() const override;
  double residual_df() const override { return residual_df_; }
  double seed_sd() const override;
  Estimate estimate(std::span<const double> weights, double level) const override;

  // The F test of "all arms are the same"; f and p are NaN without degrees of freedom.
  struct FTest {
    double f, df_above, df_below, p;
  };
  FTest test_arms() const;

 private:
  size_t arms_, seeds_, cells_;
  double rounding_;                   // values closer than this are equal
  LeastSquares fit_;                  // means of arms over all seeds, then deviations of seeds
  double residual_df_, residual_ms_;  // mean square
  double seed_ms_;                    // of seeds given arms
  double arm_ms_;                     // of arms given seeds
};

}  // namespace keel
