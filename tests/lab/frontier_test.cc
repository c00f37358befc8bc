// The frontiers of tables whose crossings are known by construction.
#include "lab/frontier.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "harness/expect_error.h"

namespace keel {
namespace {

using test::expect_error;

// H1 = 3, 4 before training. With L* = 2 the bound is 2.2 (narrow 2.1, wide 2.35).
constexpr LossScale kScale{3.0, 4.0};
constexpr double kLost = NAN;  // diverged under every labelling

// One row of losses for each seed, at log rates 0, 1, 2 ...; -1 for no trial.
std::vector<Outcome> table(const std::vector<std::vector<double>>& rows) {
  std::vector<Outcome> out;
  for (size_t s = 0; s < rows.size(); ++s) {
    for (size_t r = 0; r < rows[s].size(); ++r) {
      if (rows[s][r] == -1) continue;
      Outcome o{static_cast<double>(r), static_cast<int64_t>(10 + s), rows[s][r], {}};
      o.diverged.fill(std::isnan(o.loss));
      out.push_back(o);
    }
  }
  return out;
}

ArmOutcomes arm_of(const std::vector<std::vector<double>>& rows,
                   Labelling labelling = Labelling::kStated) {
  return ArmOutcomes(table(rows), kScale, {}, labelling);
}

TEST(ArmOutcomes, BestRateBoundAndSharesOfFailingSeeds) {
  const ArmOutcomes arm =
      arm_of({{2.5, 2.0, 2.1, kLost}, {2.5, 2.0, 2.5, kLost}, {2.5, 2.0, 2.0, 2.6}});
  EXPECT_EQ(arm.best_rate(), 1u);
  EXPECT_DOUBLE_EQ(arm.best_loss(), 2.0);
  EXPECT_DOUBLE_EQ(arm.bound(), 2.2);
  EXPECT_TRUE(arm.best_is_inside());
  EXPECT_TRUE(arm.fails_somewhere());
  const std::vector<RateSummary> rates = arm.summary();
  EXPECT_NEAR(rates[2].share_not_training, 1.0 / 3, 1e-15);
  EXPECT_EQ(rates[2].share_diverged, 0);
  EXPECT_NEAR(rates[3].share_diverged, 2.0 / 3, 1e-15);
  EXPECT_NEAR(rates[3].share_not_training, 1.0 / 3, 1e-15);
  EXPECT_NEAR(rates[3].mean_loss, (4 + 4 + 2.6) / 3, 1e-15) << "lost runs at the initial loss";
  EXPECT_FALSE(arm_of({{2.0, 2.1}}).best_is_inside());
  EXPECT_FALSE(arm_of({{2.5, 2.0, 2.1}}).fails_somewhere());
}

TEST(ArmOutcomes, RefusesWhatIsNoTable) {
  expect_error<DataError>("frontier: an arm has no outcome", [] { arm_of({}); });
  std::vector<Outcome> twice{{0, 1, 2.0, {}}, {0, 1, 2.0, {}}};
  expect_error<DataError>("frontier: rate 1, seed 1 is there twice",
                          [&] { ArmOutcomes(twice, kScale, {}, Labelling::kStated); });
  std::vector<Outcome> nan{{0, 1, NAN, {}}};
  expect_error<DataError>("frontier: rate 1, seed 1 did not diverge, but its loss is nan",
                          [&] { ArmOutcomes(nan, kScale, {}, Labelling::kStated); });
  std::vector<Outcome> rate{{-INFINITY, 1, 2.0, {}}};
  expect_error<DataError>("frontier: seed 1 has the log rate -inf",
                          [&] { ArmOutcomes(rate, kScale, {}, Labelling::kStated); });
  expect_error<DataError>(
      "frontier: unigram entropy 0 and initial loss 4 must be finite, the first above 0", [&] {
        ArmOutcomes(table({{2}}), {0, 4}, {}, Labelling::kStated);
      });
}

TEST(TrainingFrontier, InterpolatesTheFirstCrossingAboveTheBestRate) {
  // Seed 10 fails below its best rate too, and comes back under the bound after the crossing.
  const ArmOutcomes arm = arm_of(
      {{2.9, 2.0, 2.1, 2.5, 2.0}, {2.5, 2.0, kLost, kLost, kLost}, {2.5, 2.0, 2.1, 2.1, 2.1}});
  const auto crossings = training_crossings(arm, 4);
  ASSERT_EQ(crossings.size(), 3u);
  EXPECT_EQ(crossings[0].arm, 4u);
  EXPECT_EQ(crossings[0].seed, 10);
  EXPECT_NEAR(crossings[0].low, 2.25, 1e-12);
  EXPECT_TRUE(crossings[0].exact());
  EXPECT_NEAR(crossings[1].low, 1 + 0.2 / 2.0, 1e-12) << "a lost run has the initial loss";
  EXPECT_EQ(crossings[2].low, 4) << "stable up to the last rate";
  EXPECT_EQ(crossings[2].high, INFINITY);
  // Means: 2, (2.1 + 4 + 2.1) / 3 = 2.7333.
  EXPECT_NEAR(mean_training_crossing(arm, 0).low, 1 + 0.2 / (8.2 / 3 - 2), 1e-12);
}

TEST(TrainingFrontier, ASeedThatFailsAtTheBestRateIsCensoredToTheLeft) {
  const ArmOutcomes arm = arm_of({{3.5, 1.8, 3.5}, {3.5, 1.8, 3.5}, {3.5, 2.4, 3.5}});
  EXPECT_DOUBLE_EQ(arm.best_loss(), 2.0);
  const auto crossings = training_crossings(arm, 0);
  EXPECT_EQ(crossings[2].low, -INFINITY);
  EXPECT_EQ(crossings[2].high, 1);
}

TEST(TrainingFrontier, MovesWithTheLabelling) {
  const std::vector<std::vector<double>> rows{{2.5, 2.0, 3.0}};
  EXPECT_NEAR(training_crossings(arm_of(rows), 0)[0].low, 1.2, 1e-12);
  EXPECT_NEAR(training_crossings(arm_of(rows, Labelling::kNarrow), 0)[0].low, 1.1, 1e-12);
  EXPECT_NEAR(training_crossings(arm_of(rows, Labelling::kWide), 0)[0].low, 1.35, 1e-12);
  // A run may have diverged under the narrow margin only.
  std::vector<Outcome> outcomes = table(rows);
  outcomes[2].loss = 2.05;
  outcomes[2].diverged = {false, true, false};
  const auto bounds = [&](Labelling l) {
    return divergence_bounds(ArmOutcomes(outcomes, kScale, {}, l), 0)[0];
  };
  EXPECT_EQ(bounds(Labelling::kStated).high, INFINITY);
  EXPECT_EQ(bounds(Labelling::kNarrow).high, 2);
}

TEST(DivergenceFrontier, IsAnIntervalBetweenTwoRates) {
  const ArmOutcomes arm = arm_of({{2.5, 2.0, 2.9, kLost},  // does not train at 2: no divergence
                                  {2.5, 2.0, kLost, 2.0},  // the first failure counts
                                  {kLost, 2.0, 2.0, 2.0},  // below the best rate
                                  {2.5, 2.0, -1, kLost},   // a missing trial widens it
                                  {2.5, 2.0, 2.0, 2.0}});  // never fails
  const auto bounds = divergence_bounds(arm, 0);
  const std::vector<std::pair<double, double>> wanted{
      {2, 3}, {1, 2}, {3, INFINITY}, {1, 3}, {3, INFINITY}};
  ASSERT_EQ(bounds.size(), wanted.size());
  for (size_t s = 0; s < wanted.size(); ++s) {
    EXPECT_EQ(bounds[s].low, wanted[s].first) << s;
    EXPECT_EQ(bounds[s].high, wanted[s].second) << s;
  }
  const Observation common = common_divergence_bounds(arm, 0);
  EXPECT_EQ(common.low, 1);
  EXPECT_EQ(common.high, 2);
  const ArmOutcomes at_best = arm_of({{2.5, kLost, 2.5}, {2.5, 1.0, 2.5}, {2.5, 1.0, 2.5}});
  EXPECT_EQ(divergence_bounds(at_best, 0)[0].high, 1) << "at the best rate it counts";
  const Observation of_all = common_divergence_bounds(arm_of({{2, 2, kLost}, {2, 2, 2}}), 0);
  EXPECT_EQ(of_all.low, 1);
  EXPECT_EQ(of_all.high, 2);
}

TEST(TrainingFrontier, IsRefinedAroundTheMedianCrossing) {
  // Crossings at 1.2, 1.4 and none: the median is 1.4.
  const auto rates =
      refining_rates(arm_of({{2.5, 2, 3.0}, {2.5, 2, 2.5}, {2.5, 2, 2}, {2.5, 2, 2.5}}));
  ASSERT_EQ(rates.size(), 2u);
  EXPECT_NEAR(rates[0], 1.15, 1e-12);
  EXPECT_NEAR(rates[1], 1.65, 1e-12);
  EXPECT_TRUE(refining_rates(arm_of({{2.5, 2, 2}, {2.5, 2, 2}, {2.5, 2, 2.5}})).empty());
}

TEST(Frontiers, OfTwoArms) {
  // Arm 0 crosses near 1.5, arm 1 two rates later; the seeds shift both.
  const std::vector<ArmOutcomes> arms{
      arm_of({{2.5, 2, 2.4, 3, 4}, {2.5, 2, 2.5, 3, 4}, {2.5, 2, 2.3, 3, 4}}),
      arm_of({{2.5, 2, 2, 2, 2.4}, {2.5, 2, 2, 2, 2.5}, {2.5, 2, 2, 2, 2.3}})};
  const Frontiers frontiers = find_frontiers(arms);
  const ArmFrontier& low = frontiers.arms[0];
  EXPECT_NEAR(low.training.value, (1.5 + 1.4 + 5 / 3.0) / 3, 1e-12);
  ASSERT_TRUE(low.training.interval);
  EXPECT_TRUE(low.training.interval->contains(1.5));
  EXPECT_FALSE(ill_determined(low.training));
  EXPECT_NEAR(low.headroom(), std::exp(low.training.value - 1), 1e-12);
  EXPECT_EQ(low.divergence.censored, Censored::kRight) << "nothing diverged";
  EXPECT_EQ(low.divergence.value, 4);
  EXPECT_FALSE(ill_determined(low.divergence)) << "a bound, and said to be one";
  const Estimate difference = frontiers.training->estimate(std::vector<double>{-1, 1});
  EXPECT_NEAR(difference.value, 2, 1e-9);
}

TEST(Frontiers, OfFewAndScatteredSeedsAreIllDetermined) {
  const std::vector<ArmOutcomes> arms{
      arm_of({{2.5, 2, 3, 3, 3, 3}, {2.5, 2, 2, 2, 2, 3}, {2.5, 2, 2, 2.1, 3, 3}})};
  EXPECT_TRUE(ill_determined(find_frontiers(arms).arms[0].training));
}

TEST(Frontiers, AnArmThatHasLearntNothingFailsAtEveryRate) {
  // Its bound is above the loss before training; or it never was below H1.
  const ArmOutcomes late(table({{2.5, 2.0}, {2.5, 2.0}}), {3.0, 2.1}, {}, Labelling::kStated);
  const ArmOutcomes flat = arm_of({{3.4, 3.2, 3.3}, {3.4, 3.1, 3.3}});
  for (const ArmOutcomes* arm : {&late, &flat}) {
    EXPECT_FALSE(arm->trains_somewhere());
    const Observation o = training_crossings(*arm, 0)[0];
    EXPECT_EQ(o.low, -INFINITY);
    EXPECT_EQ(o.high, 0);
  }
  const ArmOutcomes arms[] = {arm_of({{2.5, 2, 3, 3}, {2.5, 2, 2.5, 3}}), flat};
  const Frontiers found = find_frontiers(arms);
  EXPECT_EQ(found.arms[1].training.censored, Censored::kLeft);
  EXPECT_EQ(found.arms[0].training.censored, Censored::kNone);
}

TEST(BestRate, IsScoredOnSeedsThatDidNotChooseIt) {
  // Seeds 10 and 12 are best at rate 1, 11 and 13 at rate 2: each half is scored where the other
  // half is best.
  const ArmOutcomes four = arm_of({{3, 1.9, 2.3}, {3, 2.5, 1.8}, {3, 1.9, 2.3}, {3, 2.5, 1.8}});
  const auto score = score_best_rate(four);
  ASSERT_TRUE(score);
  EXPECT_EQ(score->log_rate_by_seed, (std::vector<double>{2, 1, 2, 1}));
  EXPECT_EQ(score->loss_by_seed, (std::vector<double>{2.3, 2.5, 2.3, 2.5}));
  EXPECT_NEAR(score->mean_loss, 2.4, 1e-12);
  // Below 4 seeds each is scored where the others are best.
  const auto three = score_best_rate(arm_of({{1.0, 2}, {2.1, 2}, {2.2, 2}}));
  ASSERT_TRUE(three);
  EXPECT_EQ(three->log_rate_by_seed, (std::vector<double>{1, 0, 0}));
  EXPECT_FALSE(score_best_rate(arm_of({{2, 3}})));
  EXPECT_FALSE(score_best_rate(arm_of({{2, -1}, {2.5, 2}}))) << "no trial at the rate chosen";
}

TEST(LrSensitivity, IsTheMeanExcessOverTheRange) {
  const ArmOutcomes arm = arm_of({{2.5, 2.0, 9.0, kLost}, {2.1, 2.1, 2.1, 2.1}});
  const std::vector<double> all = lr_sensitivity(arm, 0, 3);
  EXPECT_NEAR(all[0], (2.5 + 2.0 + 4 + 4) / 4 - 2.0, 1e-12);
  EXPECT_NEAR(all[1], 0, 1e-12);
  EXPECT_NEAR(lr_sensitivity(arm, 0, 1)[0], 0.25, 1e-12);
  expect_error<DataError>("learning-rate sensitivity: no rate lies in [148.413, 403.429]",
                          [&] { lr_sensitivity(arm, 5, 6); });
  expect_error<DataError>("learning-rate sensitivity: seed 10 has no trial at rate 2.71828", [] {
    lr_sensitivity(arm_of({{2, -1}, {2, 2}}), 0, 1);
  });
}

TEST(ArmOutcomes, WhereAllDivergeTheFrontierIsBelowTheGrid) {
  const ArmOutcomes lost = arm_of({{kLost, kLost}, {kLost, kLost}});
  EXPECT_FALSE(lost.trains_somewhere());
  EXPECT_TRUE(arm_of({{2.0, kLost}}).trains_somewhere());
  const std::vector<Observation> crossings = training_crossings(lost, 1);
  ASSERT_EQ(crossings.size(), 2u);
  EXPECT_EQ(crossings[1].arm, 1u);
  EXPECT_EQ(crossings[1].seed, 11);
  EXPECT_TRUE(std::isinf(crossings[1].low));
  EXPECT_EQ(crossings[1].high, 0);
  EXPECT_TRUE(std::isinf(mean_training_crossing(lost, 0).low));
  // Beside an arm that trains.
  const std::vector<ArmOutcomes> arms{lost, arm_of({{2.5, 2.0, 2.4}, {2.5, 2.0, 2.5}})};
  const Frontiers f = find_frontiers(arms);
  EXPECT_EQ(f.arms[0].training.censored, Censored::kLeft);
  EXPECT_EQ(f.arms[0].training.value, 0);
  EXPECT_EQ(f.arms[1].training.censored, Censored::kNone);
}

TEST(ArmOutcomes, ARateThatRefinesIsNeverTheBest) {
  std::vector<Outcome> outcomes = table({{2.5, 2.0, 2.4}});
  outcomes.push_back({1.5, 10, 1.9, {}, true});
  const ArmOutcomes arm(outcomes, kScale, {}, Labelling::kStated);
  EXPECT_EQ(arm.best_loss(), 2.0);
  EXPECT_EQ(arm.best_rate(), 1u);
  EXPECT_EQ(arm.log_rates().size(), 4u);
  outcomes = {{1.5, 10, 1.9, {}, true}};
  expect_error<DataError>("frontier: an arm has no outcome",
                          [&] { ArmOutcomes(outcomes, kScale, {}, Labelling::kStated); });
}

}  // namespace
}  // namespace keel
