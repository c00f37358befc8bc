// The censored line against least squares and against its likelihood searched by brute force.
#include "lab/stats/censored_line.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/error.h"
#include "harness/expect_error.h"
#include "lab/stats/distributions.h"

namespace keel {
namespace {

const std::vector<LinePoint> kExact{
    {0, 1.0, 1.0}, {1, 1.7, 1.7}, {2, 2.1, 2.1}, {3, 3.4, 3.4}, {4, 3.6, 3.6}};

TEST(CensoredLine, ExactPointsGiveLeastSquaresAndStudentsInterval) {
  const std::optional<LineFit> fit = fit_censored_line(kExact);
  ASSERT_TRUE(fit);
  // Sums by hand: x mean 2, y mean 2.36, xx 10, xy 6.9, residual sum of squares 0.211.
  EXPECT_NEAR(fit->slope, 0.69, 1e-7);
  EXPECT_NEAR(fit->intercept, 0.98, 1e-7);
  EXPECT_NEAR(fit->sd, std::sqrt(0.211 / 3), 1e-6);
  EXPECT_EQ(fit->df, 3);
  const double half = t_quantile(0.975, 3) * std::sqrt(0.211 / 3 / 10);
  EXPECT_NEAR(fit->slope_interval.low, 0.69 - half, 1e-5);
  EXPECT_NEAR(fit->slope_interval.high, 0.69 + half, 1e-5);
}

// The restricted log-likelihood, written down a second time.
double log_likelihood(const std::vector<LinePoint>& points, double a, double b, double sd) {
  double sum = 2 * std::log(sd);
  for (const LinePoint& p : points) {
    const double mean = a + b * p.x;
    if (p.low == p.high) {
      const double z = (p.low - mean) / sd;
      sum += -0.5 * z * z - 0.5 * std::log(2 * M_PI) - std::log(sd);
    } else {
      sum += std::log(normal_cdf((p.high - mean) / sd) - normal_cdf((p.low - mean) / sd));
    }
  }
  return sum;
}

TEST(CensoredLine, NoPlaceIsMoreLikely) {
  std::vector<LinePoint> points = kExact;
  points[2] = {2, 1.8, 2.4};             // between two rates
  points.push_back({5, 4, INFINITY});    // beyond the last
  points.push_back({-1, -INFINITY, 1});  // below the first
  const std::optional<LineFit> fit = fit_censored_line(points);
  ASSERT_TRUE(fit);
  const double best = log_likelihood(points, fit->intercept, fit->slope, fit->sd);
  double found = -INFINITY, slope = 0;
  for (double a = 0.6; a <= 1.4; a += 0.01) {
    for (double b = 0.4; b <= 1.0; b += 0.01) {
      for (double log_sd = -2.5; log_sd <= 0; log_sd += 0.02) {
        const double value = log_likelihood(points, a, b, std::exp(log_sd));
        if (value <= found) continue;
        found = value;
        slope = b;
      }
    }
  }
  EXPECT_GE(best, found - 1e-9);
  EXPECT_NEAR(best, found, 0.01);
  EXPECT_NEAR(fit->slope, slope, 0.02);
}

TEST(CensoredLine, TheIntervalEndsWhereTheProfileSays) {
  std::vector<LinePoint> points = kExact;
  points.push_back({5, 4, INFINITY});
  const std::optional<LineFit> fit = fit_censored_line(points, 0.9);
  ASSERT_TRUE(fit);
  const double best = log_likelihood(points, fit->intercept, fit->slope, fit->sd);
  const double t = t_quantile(0.95, fit->df);
  const double wanted = 0.5 * fit->df * std::log1p(t * t / fit->df);
  for (const double slope : {fit->slope_interval.low, fit->slope_interval.high}) {
    double profile = -INFINITY;
    for (double a = -1; a <= 3; a += 0.005) {
      for (double log_sd = -2.5; log_sd <= 1; log_sd += 0.01) {
        profile = std::max(profile, log_likelihood(points, a, slope, std::exp(log_sd)));
      }
    }
    EXPECT_NEAR(best - profile, wanted, 0.01);
  }
  EXPECT_LT(fit->slope_interval.low, fit->slope);
  EXPECT_GT(fit->slope_interval.high, fit->slope);
}

TEST(CensoredLine, CensoringToTheRightPullsUp) {
  std::vector<LinePoint> points = kExact;
  points[4] = {4, 2.5, 2.5};
  const double exact = fit_censored_line(points)->slope;
  points[4].high = INFINITY;
  EXPECT_GT(fit_censored_line(points)->slope, exact);
}

TEST(CensoredLine, TooLittleGivesNoFit) {
  EXPECT_FALSE(fit_censored_line(std::vector<LinePoint>{{0, 1, 1}, {1, 2, 2}}));
  EXPECT_FALSE(fit_censored_line(std::vector<LinePoint>{{1, 1, 1}, {1, 2, 2}, {1, 3, 3}}));
  EXPECT_FALSE(fit_censored_line(
      std::vector<LinePoint>{{0, 1, 1}, {1, 2, 2}, {2, 3, INFINITY}, {3, 3, INFINITY}}));
}

TEST(CensoredLine, Errors) {
  using test::expect_error;
  expect_error<DataError>("line: x = 1 with bounds 2 and 1 is no point", [] {
    fit_censored_line(std::vector<LinePoint>{{1, 2, 1}});
  });
  expect_error<DataError>("line: x = 1 with bounds -inf and inf is no point", [] {
    fit_censored_line(std::vector<LinePoint>{{1, -INFINITY, INFINITY}});
  });
  expect_error<DataError>("line: the level 1 is not between 0 and 1",
                          [] { fit_censored_line(kExact, 1); });
}

}  // namespace
}  // namespace keel
