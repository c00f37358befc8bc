// Agreement with SciPy and statsmodels to 1e-8 (tools/stats_goldens.py made the values).
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "harness/golden.h"
#include "lab/stats/arm_model.h"
#include "lab/stats/censored.h"
#include "lab/stats/contrasts.h"
#include "lab/stats/distributions.h"
#include "lab/stats/power.h"
#include "lab/stats/resampling.h"
#include "lab/stats/two_way.h"

namespace keel {
namespace {

using test::Golden;

const Golden& golden() {
  static const Golden g("stats.safetensors");
  return g;
}

// To 1e-8, absolute below 1 and relative above; tiny probabilities relatively too.
void expect_close(double ours, double theirs, const std::string& what) {
  const double size = std::abs(theirs);
  const double allowed =
      size > 0 && size < 1e-3 ? std::max(1e-8 * size, 1e-290) : 1e-8 * (1 + size);
  EXPECT_NEAR(ours, theirs, allowed) << what;
}

// A table of f(x, df) for all df, then all x.
void expect_table(const std::string& name, const std::vector<double>& xs, size_t skip,
                  const std::function<double(double, double)>& f) {
  const std::vector<double> theirs = golden().doubles(name), dfs = golden().doubles("df");
  size_t at = 0;
  for (const double df : dfs) {
    for (size_t i = skip; i < xs.size(); ++i) {
      expect_close(f(xs[i], df), theirs.at(at++),
                   name + " at " + std::to_string(xs[i]) + ", df " + std::to_string(df));
    }
  }
  EXPECT_EQ(at, theirs.size());
}

TEST(StatsGolden, Distributions) {
  const std::vector<double> x = golden().doubles("x"), p = golden().doubles("p");
  const auto normal_cdf_golden = golden().doubles("normal.cdf");
  for (size_t i = 0; i < x.size(); ++i) {
    expect_close(normal_cdf(x[i]), normal_cdf_golden[i], "normal.cdf");
  }
  const auto normal_quantile_golden = golden().doubles("normal.quantile");
  for (size_t i = 0; i < p.size(); ++i) {
    expect_close(normal_quantile(p[i]), normal_quantile_golden[i], "normal.quantile");
  }
  expect_table("t.cdf", x, 0, t_cdf);
  expect_table("t.quantile", p, 0, t_quantile);
  expect_table("t.two_sided_p", x, 0, t_two_sided_p);
  expect_table("chi2.cdf", x, 0, [](double v, double df) { return chi2_cdf(std::abs(v), df); });
  expect_table("chi2.quantile", p, 0, chi2_quantile);
  expect_table("f.cdf", x, 0, [](double v, double df) { return f_cdf(std::abs(v), 3, df); });
  expect_table("f.upper_p", x, 0, [](double v, double d) { return f_upper_p(std::abs(v), 3, d); });
  expect_table("f.quantile", p, 0, [](double v, double df) { return f_quantile(v, 3, df); });
  expect_table("noncentral_t.cdf", x, 2,
               [](double v, double df) { return noncentral_t_cdf(v, df, 1.3); });
}

TEST(StatsGolden, LogNormalInterval) {
  const auto ends = golden().doubles("interval.ends"), theirs = golden().doubles("interval.log_p");
  for (size_t i = 0; i < theirs.size(); ++i) {
    expect_close(log_normal_interval(ends[2 * i], ends[2 * i + 1]).log_p, theirs[i], "interval");
  }
}

std::vector<Observation> table(const std::string& name) {
  const auto arm = golden().doubles(name + ".arm"), seed = golden().doubles(name + ".seed"),
             y = golden().doubles(name + ".y");
  std::vector<Observation> out;
  for (size_t i = 0; i < y.size(); ++i) {
    out.push_back({static_cast<size_t>(arm[i]), static_cast<int64_t>(seed[i]), y[i], y[i]});
  }
  return out;
}

void expect_two_way(const std::string& name) {
  const TwoWay model(check_observations(table(name)));
  const auto means = golden().doubles(name + ".means");
  for (size_t a = 0; a < means.size(); ++a) expect_close(model.arm(a).value, means[a], name);
  const auto f = golden().doubles(name + ".f_test");
  expect_close(model.test_arms().f, f[0], name + " F");
  expect_close(model.test_arms().df_below, f[1], name + " F df");
  expect_close(model.test_arms().p, f[2], name + " F p");
  expect_close(model.residual_sd(), golden().doubles(name + ".residual_sd")[0], name);
  const auto rows = golden().doubles(name + ".contrasts");
  for (size_t a = 1; a < means.size(); ++a) {
    std::vector<double> weights(means.size());
    weights[0] = -1;
    weights[a] = 1;
    const Estimate e = model.estimate(weights, 0.95);
    const double* row = &rows[(a - 1) * 5];
    expect_close(e.value, row[0], name + " contrast");
    expect_close(e.standard_error, row[1], name + " error");
    expect_close(e.p, row[2], name + " p");
    expect_close(e.interval->low, row[3], name + " low");
    expect_close(e.interval->high, row[4], name + " high");
  }
}

TEST(StatsGolden, TwoWay) {
  expect_two_way("balanced");
  expect_two_way("unbalanced");
  const auto theirs = golden().doubles("balanced.arm_mean");
  const Estimate e = fit_arms(table("balanced"))->arm(1);
  expect_close(e.standard_error, theirs[0], "arm mean error");
  expect_close(e.df, theirs[1], "arm mean df");
  expect_close(e.interval->high - e.value, theirs[2], "arm mean half-width");
}

TEST(StatsGolden, CensoredOneArm) {
  const auto low = golden().doubles("tobit.low"), high = golden().doubles("tobit.high"),
             best = golden().doubles("tobit.best");
  std::vector<Observation> observations;
  for (size_t i = 0; i < low.size(); ++i) {
    observations.push_back({0, static_cast<int64_t>(i), low[i], high[i]});
  }
  const CensoredTwoWay model(check_observations(observations));
  expect_close(model.parameters()[0], best[0], "mean");
  expect_close(model.parameters()[1], best[1], "log sd");
}

TEST(StatsGolden, CensoredLikelihoodWithBlocks) {
  const auto cells = golden().doubles("blocks.cells");
  std::vector<Observation> observations;
  for (size_t i = 0; i < cells.size(); i += 4) {
    observations.push_back({static_cast<size_t>(cells[i + 1]), static_cast<int64_t>(cells[i]),
                            cells[i + 2], cells[i + 3]});
  }
  const CensoredLikelihood likelihood(check_observations(observations));
  std::vector<double> gradient(likelihood.parameters());
  expect_close(likelihood(golden().doubles("blocks.parameters"), gradient),
               golden().doubles("blocks.log_likelihood")[0], "log-likelihood");
}

TEST(StatsGolden, HolmSignFlipsAndPower) {
  const auto adjusted = golden().doubles("holm.adjusted");
  const auto ours = holm_adjusted(golden().doubles("holm.p"));
  ASSERT_EQ(ours.size(), adjusted.size());
  for (size_t i = 0; i < ours.size(); ++i) expect_close(ours[i], adjusted[i], "holm");
  expect_close(sign_flip_p(golden().doubles("flips.differences")), golden().doubles("flips.p")[0],
               "sign flips");
  const auto effects = golden().doubles("power.effects"), seeds = golden().doubles("power.seeds"),
             power = golden().doubles("power");
  for (size_t e = 0; e < effects.size(); ++e) {
    for (size_t s = 0; s < seeds.size(); ++s) {
      expect_close(power_of_seeds(effects[e], 1, 2, static_cast<int64_t>(seeds[s])),
                   power[e * seeds.size() + s], "power");
    }
  }
}

}  // namespace
}  // namespace keel
