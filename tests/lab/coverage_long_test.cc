// The whole of coverage_test.cc: one to three arms, both frontiers and the difference, with and
// without censoring. Prints the table of docs/statistics.md.
#include <gtest/gtest.h>

#include <cstdio>

#include "lab/coverage.h"

namespace keel {
namespace {

using test::Coverage;
using test::measure;
using test::Study;

void expect_covers(const Coverage& c, const Study& study, const char* what) {
  std::printf("%zu arms, %2d seeds, %s, %-10s: %5.1f %% of %4.0f, mean width %.2f\n", study.arms,
              static_cast<int>(study.seeds), std::isfinite(study.cap) ? "capped  " : "complete",
              what, 100 * c.share(), c.intervals, c.width / c.finite);
  std::fflush(stdout);
  EXPECT_GE(c.share(), 0.92) << what;
  EXPECT_LE(c.share(), 0.98) << what;
}

class CoverageOf : public testing::TestWithParam<std::tuple<int, int, bool>> {};

TEST_P(CoverageOf, Frontiers) {
  const auto [arms, seeds, capped] = GetParam();
  Study study{.arms = static_cast<size_t>(arms), .seeds = seeds};
  if (capped) study.cap = test::kTrainingCap;
  study.tables = arms == 1 ? 10'000 : 3'000;
  const auto some = measure(study, false, arms > 1);
  expect_covers(some.training, study, "training");
  if (arms > 1) expect_covers(some.difference, study, "difference");
  if (capped) study.cap = test::kDivergenceCap;
  if (arms > 1) study.tables = arms == 2 ? 1'000 : 500;
  expect_covers(measure(study, true, false).divergence, study, "divergence");
}

INSTANTIATE_TEST_SUITE_P(Long, CoverageOf,
                         testing::Combine(testing::Values(1, 2, 3), testing::Values(3, 5, 10),
                                          testing::Bool()));

// Where seeds hardly differ, a grid cannot tell how little: intervals are wider than need be, never
// narrower.
TEST(Coverage, IsConservativeWhereSeedsDifferLessThanACell) {
  for (const int seeds : {3, 5, 10}) {
    Study study{.seeds = seeds, .seed_sd = 0.05, .residual_sd = 0.05, .tables = 5'000};
    const Coverage c = measure(study, true, false).divergence;
    std::printf("seeds within a cell, %d seeds: %.1f %%, mean width %.2f\n", seeds, 100 * c.share(),
                c.width / c.finite);
    EXPECT_GE(c.share(), 0.92);
  }
}

}  // namespace
}  // namespace keel
