// Simulated outcomes with a known frontier: the 95 % interval covers it in 92 to 98 % of the tables
// that allow an interval. The quick part; coverage_long_test.cc has several arms and more tables.
#include "lab/coverage.h"

#include <gtest/gtest.h>

#include "lab/stats/resampling.h"

namespace keel {
namespace {

using test::Coverage;
using test::measure;
using test::Study;

void expect_covers(const Coverage& c, const std::string& what) {
  EXPECT_GE(c.share(), 0.92) << what;
  EXPECT_LE(c.share(), 0.98) << what;
}

// Without a cap crossings are exact and divergence frontiers lie between two rates; with it a
// fifth to a half of the seeds are beyond the last rate.
TEST(Coverage, OfOneArmsFrontiers) {
  for (const int64_t seeds : {3, 5, 10}) {
    for (const bool capped : {false, true}) {
      Study study{.seeds = seeds, .tables = 1000};
      if (capped) study.cap = test::kTrainingCap;
      const Coverage training = measure(study, false, false).training;
      if (capped) study.cap = test::kDivergenceCap;
      const Coverage divergence = measure(study, true, false).divergence;
      for (const Coverage& c : {training, divergence}) {
        expect_covers(c, std::to_string(seeds) + (capped ? " seeds, capped" : " seeds"));
        EXPECT_GE(c.intervals, 600) << "most tables allow an interval";
        EXPECT_EQ(c.censored > 0.2, capped);
        EXPECT_LE(c.censored, 0.5);
      }
    }
  }
}

TEST(Coverage, OfADifferenceBetweenTwoArms) {
  for (const int64_t seeds : {3, 5, 10}) {
    const auto exact = measure({.arms = 2, .seeds = seeds, .tables = 1000}, false, true);
    expect_covers(exact.training, "training, 2 arms");
    expect_covers(exact.difference, "difference");
  }
  const Study few{.arms = 2, .seeds = 5, .cap = test::kTrainingCap, .tables = 250};
  const auto capped = measure(few, false, true);
  EXPECT_GT(capped.training.censored, 0.1);
  expect_covers(capped.training, "training, capped");
  expect_covers(capped.difference, "difference, capped");
}

TEST(Coverage, OfTheBootstrapFromTwentySeedsOn) {
  Coverage c;
  for (uint64_t t = 0; t < 300; ++t) {
    Draws draws(2, "bootstrap coverage", t);
    std::vector<double> values;
    for (int i = 0; i < 20; ++i) values.push_back(1 + test::normal_of(draws));
    Estimate e;
    e.interval = bootstrap_interval(values, 0.95, 1000, t);
    c.add(e, 1);
  }
  expect_covers(c, "bootstrap");
}

}  // namespace
}  // namespace keel
