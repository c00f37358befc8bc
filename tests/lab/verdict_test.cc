// The rule of "diverged" and "does not train", each clause by itself, and the early stop.
#include "lab/verdict.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "config/load.h"
#include "core/error.h"
#include "harness/config_coverage.h"
#include "harness/expect_error.h"

namespace keel {
namespace {

using test::expect_error;

// 1000 steps, 100 of warm-up, a window of 20: the rule looks from step 120 on, at 880 steps.
constexpr RunShape kShape{100, 1000, 3.0};

std::vector<double> losses_of(const std::function<double(int64_t)>& loss, int64_t steps = 1000) {
  std::vector<double> out;
  for (int64_t i = 0; i < steps; ++i) out.push_back(loss(i));
  return out;
}

JudgedRun judge(const std::function<double(int64_t)>& loss, double final_loss = 2.0) {
  return judge_run(kShape, losses_of(loss), final_loss, 2.0, {});
}

TEST(UnigramEntropy, IsThatOfTheCounts) {
  const std::vector<int64_t> even{5, 5, 0, 5, 5}, one{0, 7};
  EXPECT_DOUBLE_EQ(unigram_entropy(even), std::log(4.0));
  EXPECT_EQ(unigram_entropy(one), 0.0);
  const std::vector<int64_t> uneven{1, 3};
  EXPECT_DOUBLE_EQ(unigram_entropy(uneven), -0.25 * std::log(0.25) - 0.75 * std::log(0.75));
}

TEST(UnigramEntropy, RefusesWhatCountsNothing) {
  const std::vector<int64_t> negative{3, -1}, none{0, 0};
  expect_error<DataError>("unigram entropy: token 1 was counted -1 times",
                          [&] { unigram_entropy(negative); });
  expect_error<DataError>("unigram entropy: no token was counted", [&] { unigram_entropy(none); });
}

TEST(Verdict, WindowIsTwoPercentAndAtLeastTwenty) {
  EXPECT_EQ(verdict_window(600, {}), 20);
  EXPECT_EQ(verdict_window(1000, {}), 20);
  EXPECT_EQ(verdict_window(1001, {}), 21);
  EXPECT_EQ(verdict_window(50'000, {}), 1000);
}

// One enormous loss is forgotten once it has left the window.
TEST(Verdict, MeansAreThoseOfTheWindow) {
  DivergenceRule rule({0, 2000, 5.0}, {});  // a window of 40
  std::vector<double> losses;
  for (int64_t i = 0; i < 300; ++i) {
    losses.push_back(i == 100 ? 1e300 : 2 + 0.1 * std::sin(static_cast<double>(i)));
    if (rule.add(losses.back())) break;
    if (!rule.mean()) continue;
    double sum = 0;
    for (size_t k = losses.size() - 40; k < losses.size(); ++k) sum += losses[k];
    EXPECT_NEAR(*rule.mean(), sum / 40, 1e-12 * sum) << i;
  }
  EXPECT_EQ(losses.size(), 300u);
}

TEST(Verdict, HealthyRunsTrain) {
  const JudgedRun flat = judge([](int64_t i) { return 2 + 2 * std::exp(-i / 50.0); });
  EXPECT_EQ(flat.verdict, RunVerdict::kTrains) << flat.reason;
  EXPECT_FALSE(flat.step);
  EXPECT_EQ(flat.reason, "the final validation loss 2 is at most 2.2 (L* = 2)");
  // Far above the start in warm-up, then back.
  const JudgedRun jumps = judge([](int64_t i) { return i < 90 ? 9.0 : 2.0; });
  EXPECT_EQ(jumps.verdict, RunVerdict::kTrains) << jumps.reason;
}

TEST(Verdict, AnythingNonFiniteDiverged) {
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    const JudgedRun run = judge([&](int64_t i) { return i == 7 ? bad : 2.0; });
    EXPECT_EQ(run.verdict, RunVerdict::kDiverged);
    EXPECT_EQ(run.step, 7);
    EXPECT_EQ(run.reason, "the loss of step 7 is not finite");
    const JudgedRun at_end = judge([](int64_t) { return 2.0; }, bad);
    EXPECT_EQ(at_end.verdict, RunVerdict::kDiverged);
    EXPECT_EQ(at_end.step, 999);
    EXPECT_EQ(at_end.reason, "the final validation loss is not finite");
  }
}

TEST(Verdict, AboveTheUnigramEntropyInATenthOfTheStepsDiverged) {
  // Better in warm-up than ever after. 880 steps are looked at; a tenth of them is 88.
  const JudgedRun run = judge([](int64_t i) { return i < 50 ? 3.2 : 3.5; });
  EXPECT_EQ(run.verdict, RunVerdict::kDiverged);
  EXPECT_EQ(run.step, 120 + 88 - 1);
  EXPECT_EQ(run.reason,
            "the mean of 20 losses was above the unigram entropy 3, and above what it had been, in "
            "88 steps by step 207");
  // Means reach back 20 steps: that of 3.5 and 2.5 is above 3 as long as more than half of the
  // window is, for 9 steps beyond the last 3.5. One step less than a tenth is not enough; a tenth
  // is, even though the run comes back afterwards.
  const auto for_steps = [](int64_t count) {
    return judge([=](int64_t i) { return i < 50 ? 2.5 : i < 120 + count - 9 ? 3.5 : 2.5; }, 2.0);
  };
  EXPECT_EQ(for_steps(87).verdict, RunVerdict::kTrains) << for_steps(87).reason;
  EXPECT_EQ(for_steps(88).verdict, RunVerdict::kDiverged);
}

TEST(Verdict, ASlowRunIsNotLost) {
  // At a rate far too small it falls all the time and is above H1 for most of the run, or stays
  // where it is.
  const JudgedRun slow = judge([](int64_t i) { return 5.5 - 0.002 * i; }, 3.5);
  EXPECT_EQ(slow.verdict, RunVerdict::kDoesNotTrain) << slow.reason;
  const JudgedRun stuck = judge([](int64_t i) { return 3.3 + (i % 7) * 0.02; }, 3.3);
  EXPECT_EQ(stuck.verdict, RunVerdict::kDoesNotTrain) << stuck.reason;
  // 5 % above its lowest mean, and not.
  const auto risen_by = [](double share) {
    return judge([=](int64_t i) { return i < 50 ? 4.0 : 4.0 * (1 + share); }, 4.0);
  };
  EXPECT_EQ(risen_by(0.049).verdict, RunVerdict::kDoesNotTrain);
  EXPECT_EQ(risen_by(0.051).verdict, RunVerdict::kDiverged);
}

TEST(Verdict, ARiseThatIsNotMadeGoodDiverged) {
  // From 2.0, by more than 0.2 * (3 - 2) = 0.2, for 100 steps on end.
  const auto bump = [](double height, int64_t length) {
    return judge([=](int64_t i) { return i >= 400 && i < 400 + length ? 2 + height : 2.0; });
  };
  EXPECT_EQ(bump(0.19, 500).verdict, RunVerdict::kTrains);
  const JudgedRun lost = bump(0.5, 500);
  EXPECT_EQ(lost.verdict, RunVerdict::kDiverged);
  EXPECT_EQ(lost.step, 400 + 8 + 100) << "the mean is 0.2 higher after 9 of 20 steps";
  EXPECT_EQ(lost.reason,
            "the mean of 20 losses rose from 2 to 2.5 and had not come back 100 steps later, at "
            "step 508");
  EXPECT_EQ(bump(0.5, 80).verdict, RunVerdict::kTrains) << "came back";
  // Too late in the run to know: the final loss decides.
  const JudgedRun late =
      judge_run(kShape, losses_of([](int64_t i) { return i < 950 ? 2.0 : 2.8; }), 2.8, 2.0, {});
  EXPECT_EQ(late.verdict, RunVerdict::kDoesNotTrain);
}

TEST(Verdict, TheMarginIsAShareOfWhatWasLearnt) {
  const auto run = losses_of([](int64_t i) { return i < 400 ? 2.0 : 2.25; });
  const auto verdict = [&](Labelling labelling) {
    return judge_run(kShape, run, 2.25, 2.25, VerdictConfig{}.labelled(labelling)).verdict;
  };
  EXPECT_EQ(verdict(Labelling::kNarrow), RunVerdict::kDiverged);
  EXPECT_EQ(verdict(Labelling::kStated), RunVerdict::kDiverged);
  EXPECT_EQ(verdict(Labelling::kWide), RunVerdict::kTrains);
}

TEST(Verdict, DoesNotTrainByTheFinalLossAlone) {
  const auto flat = [](int64_t) { return 2.5; };
  EXPECT_EQ(judge(flat, 2.2).verdict, RunVerdict::kTrains);
  const JudgedRun run = judge(flat, 2.21);
  EXPECT_EQ(run.verdict, RunVerdict::kDoesNotTrain);
  EXPECT_EQ(run.step, 999);
  EXPECT_EQ(run.reason, "the final validation loss 2.21 is above 2.2 (L* = 2)");
  EXPECT_EQ(training_bound(3.5, 3.0, 0.2), 3.5) << "an arm that learnt nothing";
  EXPECT_STREQ(name_of(RunVerdict::kTrains), "trains");
  EXPECT_STREQ(name_of(RunVerdict::kDiverged), "diverged");
  EXPECT_STREQ(name_of(RunVerdict::kDoesNotTrain), "does not train");
}

TEST(Verdict, RefusesWhatCannotBeJudged) {
  const auto flat = losses_of([](int64_t) { return 2.0; });
  expect_error<DataError>("verdict: 0 steps with 0 of warm-up is not a run", [&] {
    judge_run({0, 0, 3.0}, {}, 2, 2, {});
  });
  expect_error<DataError>("verdict: the unigram entropy is 0, it must be above 0", [&] {
    judge_run({0, 10, 0.0}, {}, 2, 2, {});
  });
  expect_error<DataError>("verdict: 1000 losses in a run of 10 steps", [&] {
    judge_run({0, 10, 3.0}, flat, 2, 2, {});
  });
  expect_error<DataError>(
      "verdict: the run has 500 of 1000 losses and nothing in them says that it was lost",
      [&] { judge_run(kShape, std::span(flat).first(500), 2, 2, {}); });
  expect_error<DataError>(
      "verdict: the best loss L* is not finite, so nothing can be compared with it",
      [&] { judge_run(kShape, flat, 2, std::nan(""), {}); });
}

TEST(EarlyStop, StopsAtOneAndAHalfTimesTheFirstLoss) {
  EarlyStop stop(kShape, {});
  for (int64_t i = 0; i < 1000; ++i) stop.add(i == 0 ? 4.0 : i < 130 ? 2.0 : 20.0);
  ASSERT_TRUE(stop.stopped());
  // 5 of 20 losses of 20 give a mean of 6.5.
  EXPECT_EQ(stop.stopped()->step, 134);
  EXPECT_EQ(stop.stopped()->reason,
            "the mean loss 6.5 is above 1.5 times the first loss 4 at step 134");
}

TEST(EarlyStop, LooksAfterWarmUpAndOneWindowOnly) {
  EarlyStop stop(kShape, {});
  for (int64_t i = 0; i < 120; ++i) EXPECT_FALSE(stop.add(i == 0 ? 4.0 : 100.0));
  ASSERT_TRUE(stop.add(100.0));
  EXPECT_EQ(stop.stopped()->step, 120);
}

TEST(EarlyStop, StopsWhereTheDivergedRuleIsIrrevocable) {
  EarlyStop stop(kShape, {});
  DivergenceRule rule(kShape, {});
  for (int64_t i = 0; i < 1000; ++i) {
    const double loss = i < 400 ? 2.0 : 2.5;
    EXPECT_EQ(stop.add(loss).has_value(), rule.add(loss).has_value()) << i;
  }
  EXPECT_EQ(stop.stopped()->reason, rule.diverged()->reason);
}

TEST(EarlyStop, AStoppedRunIsJudgedByItsReason) {
  auto losses = losses_of([](int64_t i) { return i == 0 ? 2.0 : 4.0; }, 121);
  const JudgedRun run = judge_run(kShape, losses, std::nan(""), 2.0, {});
  EXPECT_EQ(run.verdict, RunVerdict::kDiverged);
  EXPECT_EQ(run.step, 120);
  EXPECT_EQ(run.reason,
            "stopped early: the mean loss 4 is above 1.5 times the first loss 2 at step 120");
}

TEST(VerdictConfig, WalksAllMembersAndChecksTheOrderOfMargins) {
  harness::CoverageWalk walk;
  VerdictConfig config;
  walk.check("verdict", config, sizeof config);
  EXPECT_TRUE(walk.holes.empty()) << walk.holes.front();
  config.narrow_margin = 0.3;
  expect_error<ConfigError>("narrow_margin: must not be above margin",
                            [&] { check_config(config); });
  config.narrow_margin = 0.1;
  config.wide_margin = 0.15;
  expect_error<ConfigError>("wide_margin: must not be below margin", [&] { check_config(config); });
}

}  // namespace
}  // namespace keel
