// The statistics of the laboratory: properties, degenerate data and error texts. Values from other
// programs are in stats_golden_test.cc, coverage in coverage_test.cc.
#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "data/draws.h"
#include "harness/expect_error.h"
#include "lab/stats/arm_model.h"
#include "lab/stats/censored.h"
#include "lab/stats/contrasts.h"
#include "lab/stats/distributions.h"
#include "lab/stats/linear.h"
#include "lab/stats/minimize.h"
#include "lab/stats/power.h"
#include "lab/stats/resampling.h"
#include "lab/stats/summary.h"

namespace keel {
namespace {

using test::expect_error;
constexpr double kInf = INFINITY;

double normal(Draws& draws) { return normal_quantile(draws.uniform() + 0x1p-54); }

// Exact values of arms 0, 0.5, 1 ... with random seeds.
std::vector<Observation> exact_table(size_t arms, int64_t seeds, uint64_t row = 0) {
  Draws draws(3, "table", row);
  std::vector<Observation> out;
  for (int64_t s = 0; s < seeds; ++s) {
    const double block = 0.4 * normal(draws);
    for (size_t a = 0; a < arms; ++a) {
      const double y = 0.5 * static_cast<double>(a) + block + 0.15 * normal(draws);
      out.push_back({a, s, y, y});
    }
  }
  return out;
}

// Differences of rounding are none, and seeds that do not differ say nothing of others.
TEST(TwoWayModel, RoundingIsNoDifference) {
  std::vector<Observation> y;
  for (int64_t seed = 0; seed < 3; ++seed) {
    const double v = 2.1 + 0.3 * static_cast<double>(seed);
    y.push_back({0, seed, v, v});
    y.push_back({1, seed, v * (1 + 2e-16), v * (1 + 2e-16)});
  }
  const std::vector<double> weights{1, -1};
  const Estimate same = fit_arms(y)->estimate(weights);
  EXPECT_EQ(same.value, 0);
  EXPECT_EQ(same.p, 1);
  for (Observation& o : y) o.low = o.high = o.arm == 0 ? 2.0 / 3 : 1.1;
  const Estimate unused = fit_arms(y)->estimate(weights);
  EXPECT_FALSE(unused.interval);
  EXPECT_TRUE(std::isnan(unused.p));
  EXPECT_EQ(fit_arms(y)->residual_sd(), 0);
  EXPECT_EQ(power_of_seeds(1, 1e-17, 2, 3, 0.05), 1);
}

TEST(Summary, QuantilesLieBetweenNeighboursByProportion) {
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 2, 3}), 2.5);
  EXPECT_EQ(quantile({0, 10, 20}, 0.1), 2);
  EXPECT_EQ(quantile({0, 10, 20}, 1), 20);
  EXPECT_EQ(mean({1, 2, 6}), 3);
  EXPECT_TRUE(std::isnan(median({})) && std::isnan(mean({})));
}

TEST(Distributions, RefuseWhatHasNoValue) {
  expect_error<DataError>("t_quantile: the probability is 1, it must lie between 0 and 1",
                          [] { t_quantile(1, 3); });
  expect_error<DataError>("chi2_cdf: 0 degrees of freedom, there must be more than 0",
                          [] { chi2_cdf(1, 0); });
  expect_error<DataError>("normal_cdf: the value is not a number",
                          [] { normal_cdf(std::nan("")); });
  EXPECT_EQ(t_cdf(kInf, 2), 1);
  EXPECT_EQ(t_cdf(-kInf, 2), 0);
  EXPECT_EQ(t_two_sided_p(-kInf, 2), 0);
  EXPECT_EQ(f_cdf(kInf, 2, 3), 1);
  EXPECT_EQ(f_upper_p(kInf, 2, 3), 0);
  EXPECT_EQ(f_upper_p(-1, 2, 3), 1);
  EXPECT_EQ(chi2_cdf(-1, 2), 0);
}

TEST(Distributions, IntervalDerivativesAreTheSlopes) {
  const double h = 1e-6;
  for (const auto& [low, high] : {std::pair{-1.0, 0.5}, {2.0, 2.4}, {-9.0, -8.0}, {0.0, kInf}}) {
    const LogInterval at = log_normal_interval(low, high);
    const auto log_p = [](double a, double b) { return log_normal_interval(a, b).log_p; };
    EXPECT_NEAR(at.by_low, (log_p(low + h, high) - log_p(low - h, high)) / (2 * h), 2e-6);
    if (std::isinf(high)) continue;
    EXPECT_NEAR(at.by_high, (log_p(low, high + h) - log_p(low, high - h)) / (2 * h), 2e-6);
  }
  EXPECT_EQ(log_normal_interval(1, 1).log_p, -kInf);
}

TEST(LeastSquares, NamesTheRankOfADependentDesign) {
  const std::vector<double> x{1, 2, 1, 2, 1, 2}, y{1, 2, 3};
  expect_error<DataError>("least squares: 3 values determine 1 of 2 coefficients",
                          [&] { fit_least_squares(x, y); });
  expect_error<DataError>("least squares: 0 values determine 0 of 0 coefficients",
                          [&] { fit_least_squares({}, {}); });
}

TEST(Minimize, FindsTheBottomOfABananaAndOfABowlFarAway) {
  const Minimum banana = minimize(
      [](std::span<const double> x, std::span<double> g) {
        const double a = 1 - x[0], b = x[1] - x[0] * x[0];
        g[0] = -2 * a - 400 * x[0] * b;
        g[1] = 200 * b;
        return a * a + 100 * b * b;
      },
      {-1.2, 1});
  EXPECT_NEAR(banana.x[0], 1, 1e-8);
  EXPECT_NEAR(banana.x[1], 1, 1e-8);
  EXPECT_LE(banana.gradient_norm, 1e-9);
  const Minimum bowl = minimize(
      [](std::span<const double> x, std::span<double> g) {
        g[0] = 2e6 * (x[0] - 1000);
        g[1] = 2 * (x[1] + 1000);
        return 1e6 * (x[0] - 1000) * (x[0] - 1000) + (x[1] + 1000) * (x[1] + 1000) + 1e5;
      },
      {0, 0});
  EXPECT_NEAR(bowl.x[0], 1000, 1e-6);
  EXPECT_NEAR(bowl.x[1], -1000, 1e-4);
}

TEST(ArmModel, RefusesTablesThatSayNothing) {
  const auto fit = [](std::vector<Observation> o) { return [o] { fit_arms(o); }; };
  expect_error<DataError>("two-way model: there is no observation", fit({}));
  expect_error<DataError>("two-way model: arm 1 has no observation",
                          fit({{0, 1, 1, 1}, {2, 1, 1, 1}}));
  expect_error<DataError>("two-way model: arm 0, seed 4 is there twice",
                          fit({{0, 4, 1, 1}, {0, 4, 2, 2}}));
  expect_error<DataError>(
      "two-way model: arm 0, seed 4: the value lies in (2, 1], which says nothing or cannot be",
      fit({{0, 4, 2, 1}}));
  expect_error<DataError>(
      "two-way model: arm 0, seed 4: the value lies in (-inf, inf], which says nothing or cannot "
      "be",
      fit({{0, 4, -kInf, kInf}}));
  expect_error<DataError>(
      "two-way model: arms 0 and 1 have no seed in common, not even through other arms",
      fit({{0, 1, 1, 1}, {0, 2, 1, 1}, {1, 3, 1, 1}}));
  const auto model = fit_arms(exact_table(2, 3));
  const std::vector<double> one{1}, zeros{0, 0}, good{1, -1};
  expect_error<DataError>("contrast: 1 weights for 2 arms", [&] { model->estimate(one); });
  expect_error<DataError>("contrast: the weights must be finite and not all 0",
                          [&] { model->estimate(zeros); });
  expect_error<DataError>("interval: the level is 1, it must lie between 0 and 1",
                          [&] { model->estimate(good, 1); });
}

TEST(ArmModel, AnArmAloneGetsStudentsInterval) {
  const auto model = fit_arms(std::vector<Observation>{{0, 7, 1, 1}, {0, 8, 2, 2}, {0, 9, 6, 6}});
  const Estimate e = model->arm(0);
  EXPECT_DOUBLE_EQ(e.value, 3);
  EXPECT_NEAR(e.standard_error, std::sqrt(7.0 / 3), 1e-12);
  EXPECT_DOUBLE_EQ(e.df, 2);
  EXPECT_NEAR(e.interval->high, 3 + t_quantile(0.975, 2) * std::sqrt(7.0 / 3), 1e-12);
  EXPECT_NEAR(model->seed_sd(), std::sqrt(7.0), 1e-12);
}

TEST(ArmModel, ASingleSeedHasNoInterval) {
  for (const double high : {1.5, kInf}) {
    const auto model = fit_arms(std::vector<Observation>{{0, 1, 1, 1}, {1, 1, 1.5, high}});
    const Estimate e = model->arm(1);
    EXPECT_FALSE(e.interval);
    EXPECT_DOUBLE_EQ(e.value, 1.5);
    EXPECT_EQ(e.censored, std::isinf(high) ? Censored::kRight : Censored::kNone);
  }
}

TEST(ArmModel, TheBlockCancelsInDifferencesOnly) {
  std::vector<Observation> table = exact_table(2, 5);
  const std::vector<double> difference{-1, 1};
  const Estimate before = fit_arms(table)->estimate(difference), arm = fit_arms(table)->arm(0);
  for (Observation& o : table) o.low = o.high = o.low + 10.0 * static_cast<double>(o.seed % 2);
  const Estimate after = fit_arms(table)->estimate(difference);
  EXPECT_NEAR(after.standard_error, before.standard_error, 1e-12);
  EXPECT_GT(fit_arms(table)->arm(0).standard_error, 5 * arm.standard_error);
}

TEST(Censored, GradientOfTheLikelihoodIsItsSlope) {
  const std::vector<Observation> table{{0, 0, .1, .1},   {1, 0, .5, .9}, {2, 0, 0, kInf},
                                       {0, 1, -kInf, 0}, {1, 1, .4, .4}, {2, 1, .9, .9},
                                       {0, 2, -.2, .2},  {1, 2, .3, .7}};
  const CensoredLikelihood likelihood(check_observations(table));
  std::vector<double> at{0.1, 0.5, 0.8, -1.6, -1.1}, gradient(5), ignored(5);
  likelihood(at, gradient);
  for (size_t i = 0; i < at.size(); ++i) {
    const double h = 1e-5, x = at[i];
    at[i] = x + h;
    const double above = likelihood(at, ignored);
    at[i] = x - h;
    const double below = likelihood(at, ignored);
    at[i] = x;
    EXPECT_NEAR(gradient[i], (above - below) / (2 * h), 1e-6) << i;
  }
}

// On exact tables the profile likelihood must give the intervals of least squares.
TEST(Censored, EqualsLeastSquaresWhereNothingIsCensored) {
  for (const int64_t seeds : {3, 5, 10}) {
    const auto table = exact_table(3, seeds);
    const auto exact = fit_arms(table), likelihood = fit_arms_by_likelihood(table);
    EXPECT_NEAR(likelihood->residual_sd(), exact->residual_sd(), 1e-6);
    EXPECT_NEAR(likelihood->seed_sd(), exact->seed_sd(), 1e-6);
    const std::vector<double> difference{-1, 0, 1};
    const Estimate a = exact->estimate(difference), b = likelihood->estimate(difference);
    EXPECT_NEAR(b.value, a.value, 1e-6);
    EXPECT_NEAR(b.df, a.df, 1e-6);
    EXPECT_NEAR(b.interval->low, a.interval->low, 1e-5);
    EXPECT_NEAR(b.interval->high, a.interval->high, 1e-5);
    // So far out the spread of the seeds vanishes under the hypothesis, and the two differ a
    // little.
    EXPECT_NEAR(std::log(b.p), std::log(a.p), 1);
    const Estimate one = exact->arm(0), same = likelihood->arm(0);
    EXPECT_NEAR(same.value, one.value, 1e-6);
    // Satterthwaite's interval is not the likelihood's, but close.
    EXPECT_NEAR(same.interval->low, one.interval->low, 0.15 * (one.value - one.interval->low));
  }
  const auto alone = exact_table(1, 4);
  const Estimate a = fit_arms(alone)->arm(0), b = fit_arms_by_likelihood(alone)->arm(0);
  EXPECT_NEAR(b.interval->low, a.interval->low, 1e-5);
  EXPECT_NEAR(b.interval->high, a.interval->high, 1e-5);
}

TEST(Censored, AnArmThatNeverFailsIsABound) {
  auto table = exact_table(2, 5);
  for (Observation& o : table) {
    if (o.arm == 1) o = {1, o.seed, 2.0, kInf};
  }
  const auto model = fit_arms(table);
  const Estimate never = model->arm(1);
  EXPECT_EQ(never.value, 2.0);
  EXPECT_EQ(never.censored, Censored::kRight);
  ASSERT_TRUE(never.interval);
  EXPECT_EQ(never.interval->high, kInf);
  EXPECT_GT(never.interval->low, 1.0);
  EXPECT_LT(never.interval->low, 2.5);
  // The other arm as if alone.
  std::vector<Observation> alone;
  for (const Observation& o : table) {
    if (o.arm == 0) alone.push_back(o);
  }
  const Estimate other = model->arm(0), single = fit_arms(alone)->arm(0);
  EXPECT_NEAR(other.value, single.value, 1e-7);
  EXPECT_NEAR(other.interval->low, single.interval->low, 1e-4);
  const Estimate difference = model->estimate(std::vector<double>{-1, 1});
  EXPECT_TRUE(std::isnan(difference.value));
  EXPECT_EQ(difference.interval->high, kInf);
  EXPECT_GT(difference.interval->low, 0.5);
  EXPECT_LT(difference.p, 0.01);
}

TEST(Censored, TwoArmsThatNeverFailAreNotCompared) {
  auto table = exact_table(3, 4);
  for (Observation& o : table) {
    if (o.arm > 0) o = {o.arm, o.seed, 2.0, kInf};
  }
  const Estimate e = fit_arms(table)->estimate(std::vector<double>{0, -1, 1});
  EXPECT_EQ(e.interval->low, -kInf);
  EXPECT_EQ(e.interval->high, kInf);
  EXPECT_EQ(e.p, 1);
}

TEST(Censored, ABoundWithoutAnySpreadHasNoInterval) {
  std::vector<Observation> table{{0, 0, 1, kInf}, {0, 1, 1.2, kInf}, {0, 2, 1, kInf}};
  Estimate e = fit_arms(table)->arm(0);
  EXPECT_EQ(e.value, 1.0);
  EXPECT_EQ(e.censored, Censored::kRight);
  EXPECT_FALSE(e.interval);
  for (Observation& o : table) o = {0, o.seed, -kInf, 0.5};
  e = fit_arms(table)->arm(0);
  EXPECT_EQ(e.value, 0.5);
  EXPECT_EQ(e.censored, Censored::kLeft);
}

TEST(Censored, SeedsThatFailInTheSameCellHaveABoundedInterval) {
  const std::vector<Observation> table{{0, 0, 1, 1.4}, {0, 1, 1, 1.4}, {0, 2, 1, 1.4}};
  const Estimate e = fit_arms(table)->arm(0);
  EXPECT_NEAR(e.value, 1.2, 1e-6);
  EXPECT_LT(e.interval->low, 1.0);
  EXPECT_GT(e.interval->low, 0.5);
  EXPECT_NEAR(e.interval->high - 1.2, 1.2 - e.interval->low, 1e-5);
}

TEST(Contrasts, HaveThreeResolutions) {
  // Differences known to about 0.2: arms 0 and 1 agree, arm 2 is far, arm 3 is in between.
  std::vector<Observation> table;
  const double noise[] = {0.05, -0.04, 0.01, -0.03, 0.02};
  for (int64_t s = 0; s < 5; ++s) {
    for (size_t a = 0; a < 4; ++a) {
      const double mean = a == 2 ? 1 : a == 3 ? 0.08 : 0;
      const double y = mean + 0.1 * static_cast<double>(s) + noise[(s * 2 + a * 3) % 5];
      table.push_back({a, s, y, y});
    }
  }
  const auto model = fit_arms(table);
  const std::vector<Contrast> family{
      {"same", {-1, 1, 0, 0}}, {"far", {-1, 0, 1, 0}}, {"near", {-1, 0, 0, 1}}};
  const auto wide = judge_contrasts(*model, family, std::log(1.5));
  EXPECT_EQ(wide[0].resolution, Resolution::kTie);
  EXPECT_EQ(wide[1].resolution, Resolution::kDiffers);
  EXPECT_FALSE(wide[1].inside_margin);
  const auto narrow = judge_contrasts(*model, family, 0.01);
  EXPECT_EQ(narrow[0].resolution, Resolution::kNotResolved);
  EXPECT_EQ(narrow[1].resolution, Resolution::kDiffers);
  for (const JudgedContrast& c : wide) {
    EXPECT_EQ(c.holm_p < 0.05, !c.holm_interval->contains(0)) << c.name;
    EXPECT_LE(c.holm_interval->low, c.estimate.interval->low) << c.name;
  }
  EXPECT_STREQ(name_of(Resolution::kDiffers), "differs");
  EXPECT_STREQ(name_of(Resolution::kTie), "tie");
  EXPECT_STREQ(name_of(Resolution::kNotResolved), "not resolved");
}

TEST(Contrasts, AnOrderMustHoldUnderAllLabellings) {
  const auto judged = [](Resolution r, double low, double high) {
    JudgedContrast c;
    c.resolution = r;
    c.holm_interval = Interval{low, high};
    return c;
  };
  const auto up = judged(Resolution::kDiffers, 0.1, 1),
             down = judged(Resolution::kDiffers, -1, -.1),
             open = judged(Resolution::kNotResolved, -1, 1);
  EXPECT_TRUE(order_holds(std::vector{up, up, up}));
  EXPECT_TRUE(order_holds(std::vector{down, down, down}));
  EXPECT_FALSE(order_holds(std::vector{up, up, down}));
  EXPECT_FALSE(order_holds(std::vector{up, open, up}));
  EXPECT_FALSE(order_holds({}));
}

TEST(Contrasts, RefuseWeightsThatAreNoContrastAndMarginsThatAreNone) {
  const auto model = fit_arms(exact_table(2, 3));
  const std::vector<Contrast> sum{{"b > a", {1, 1}}}, good{{"b > a", {-1, 1}}};
  expect_error<DataError>("contrast \"b > a\": the weights sum to 2, they must sum to 0",
                          [&] { judge_contrasts(*model, sum, 0.4); });
  expect_error<DataError>("contrasts: the margin of a tie is 0, it must be above 0",
                          [&] { judge_contrasts(*model, good, 0); });
}

TEST(Contrasts, WithoutIntervalsNothingIsResolved) {
  const auto model = fit_arms(exact_table(2, 1));
  const auto judged = judge_contrasts(*model, std::vector<Contrast>{{"b > a", {-1, 1}}}, 0.4);
  EXPECT_EQ(judged[0].resolution, Resolution::kNotResolved);
  EXPECT_EQ(judged[0].holm_p, 1);
  EXPECT_FALSE(judged[0].holm_interval);
}

TEST(Resampling, SmallestP) {
  EXPECT_EQ(smallest_sign_flip_p(3), 0.25);
  EXPECT_EQ(smallest_sign_flip_p(10), 2.0 / 1024);
  EXPECT_EQ(smallest_sign_flip_p(0), 1);
  EXPECT_NEAR(smallest_permutation_p(3, 3), 0.1, 1e-15);
  EXPECT_NEAR(smallest_permutation_p(2, 3), 0.1, 1e-15);
  EXPECT_EQ(smallest_permutation_p(0, 3), 1);
  // The bounds are reached.
  EXPECT_EQ(sign_flip_p(std::vector<double>{1, 2, 3}), smallest_sign_flip_p(3));
  EXPECT_EQ(sign_flip_p(std::vector<double>{1, -1}), 1);
}

TEST(Resampling, RefusesTooFewAndTooMany) {
  expect_error<DataError>("sign flips: 0 differences, there must be 1 to 20",
                          [] { sign_flip_p({}); });
  expect_error<DataError>("sign flips: a difference is not finite", [] {
    sign_flip_p(std::vector<double>{1, kInf});
  });
  const std::vector<double> few(19, 1.0), equal(20, 1.0);
  expect_error<DataError>("bootstrap: 19 seeds, there must be at least 20",
                          [&] { bootstrap_interval(few, 0.95, 2000, 1); });
  expect_error<DataError>(
      "bootstrap: the values are equal or not finite, there is nothing to resample",
      [&] { bootstrap_interval(equal, 0.95, 2000, 1); });
  expect_error<DataError>(
      "bootstrap: 10 resamples at level 0.95; at least 1000 and a level between 0 and 1 are needed",
      [&] { bootstrap_interval(equal, 0.95, 10, 1); });
}

TEST(Power, FindsTheSmallestNumberOfSeeds) {
  for (const double difference : {0.2, 0.5, 3.0}) {
    const auto seeds = seeds_to_resolve(difference, 0.5, 3);
    ASSERT_TRUE(seeds);
    EXPECT_GE(power_of_seeds(difference, 0.5, 3, *seeds), 0.8);
    if (*seeds > 2) {
      EXPECT_LT(power_of_seeds(difference, 0.5, 3, *seeds - 1), 0.8);
    }
  }
  EXPECT_EQ(seeds_to_resolve(0, 0.5, 3), std::nullopt);
  expect_error<DataError>(
      "power: standard deviation 0, alpha 0.05, 3 arms, 5 seeds; needed are a positive one, one "
      "between 0 and 1, and at least 2 of each",
      [] { power_of_seeds(1, 0, 3, 5); });
}

}  // namespace
}  // namespace keel
