// The search on simulated outcomes of known frontiers.
#include "lab/search/search.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/error.h"
#include "harness/expect_error.h"
#include "simulated_trials.h"

namespace keel {
namespace {

using namespace test;

SearchOptions options(size_t arms) {
  SearchOptions o;
  o.arms = arms;
  o.seeds = {1, 2, 3};
  o.start = 0.01;
  return o;
}

std::vector<double> values_of_arm(const Searched& s, size_t arm, bool refining) {
  std::vector<double> out;
  for (const SearchedTrial& t : s.trials) {
    if (t.arm == arm && t.seed == 1 && t.refining == refining) out.push_back(t.value);
  }
  std::sort(out.begin(), out.end());
  return out;
}

TEST(Search, GrowsBothWaysUntilEachArmHasItsBestInsideAndAFailure) {
  // The first arm is best below the start, the second fails far above it.
  SimulatedTrials source([](size_t arm, double v, int64_t) {
    return arm == 0 ? known_frontier(v, 0.004, 0.02) : known_frontier(v, 0.05, 0.3);
  });
  const Searched s = search_frontiers(options(2), source);
  EXPECT_FALSE(s.stopped);
  EXPECT_EQ(s.failing_side, GridEnd::kSatisfied);
  EXPECT_EQ(s.other_side, GridEnd::kSatisfied);
  // 0.01 * 1.5^k to four digits.
  EXPECT_LT(s.grid.front(), 0.004);
  EXPECT_GT(s.grid.back(), 0.3);
  EXPECT_TRUE(std::binary_search(s.grid.begin(), s.grid.end(), 0.015));
  EXPECT_TRUE(std::binary_search(s.grid.begin(), s.grid.end(), 0.0225));
  EXPECT_TRUE(std::binary_search(s.grid.begin(), s.grid.end(), 0.006667));
  for (size_t i = 1; i < s.grid.size(); ++i) EXPECT_NEAR(s.grid[i] / s.grid[i - 1], 1.5, 1e-3);
  for (size_t arm = 0; arm < 2; ++arm) {
    EXPECT_EQ(values_of_arm(s, arm, false), s.grid) << "one grid for all arms";
    const ArmOutcomes o = table_of(s.trials, arm, 1).common().labelled({}, Labelling::kStated);
    EXPECT_TRUE(o.best_is_inside());
    EXPECT_TRUE(o.fails_somewhere());
  }
  EXPECT_EQ(std::ssize(s.trials), source.ran);
}

TEST(Search, RefinesAroundTheMedianCrossing) {
  SimulatedTrials source([](size_t, double v, int64_t) { return known_frontier(v, 0.01, 0.05); });
  const Searched s = search_frontiers(options(1), source);
  const std::vector<double> refined = values_of_arm(s, 0, true);
  ASSERT_EQ(refined.size(), 2u);
  // A quarter of a grid cell to both sides.
  EXPECT_NEAR(std::log(refined[0]), std::log(0.05) - std::log(1.5) / 4, 2e-3);
  EXPECT_NEAR(std::log(refined[1]), std::log(0.05) + std::log(1.5) / 4, 2e-3);
  const ArmOutcomes o = table_of(s.trials, 0, 1).labelled({}, Labelling::kStated);
  const Observation crossing = mean_training_crossing(o, 0);
  ASSERT_TRUE(crossing.exact());
  EXPECT_NEAR(crossing.low, std::log(0.05), 1e-6);
}

TEST(Search, EndsAtTheCapWhereNothingFails) {
  SimulatedTrials source([](size_t, double v, int64_t) { return known_frontier(v, 0.01, 100); });
  SearchOptions o = options(1);
  o.cap = 0.06;
  const Searched s = search_frontiers(o, source);
  EXPECT_EQ(s.failing_side, GridEnd::kCap);
  EXPECT_EQ(s.grid.back(), 0.05063);
  EXPECT_TRUE(values_of_arm(s, 0, true).empty()) << "no crossing, nothing to refine";
}

TEST(Search, ACapThatIsOnTheGridIsTried) {
  SimulatedTrials source([](size_t, double v, int64_t) { return known_frontier(v, 0.01, 100); });
  SearchOptions o = options(1);
  o.ratio = 2;
  o.cap = 0.08;
  EXPECT_EQ(search_frontiers(o, source).grid.back(), 0.08);
}

TEST(Search, EndsAtTheFloorWhereEverythingFails) {
  SimulatedTrials source([](size_t, double, int64_t) { return SimulatedEnd{3.9, true, false}; });
  SearchOptions o = options(1);
  o.floor = 0.002;
  const Searched s = search_frontiers(o, source);
  EXPECT_EQ(s.other_side, GridEnd::kFloor);
  EXPECT_EQ(s.failing_side, GridEnd::kSatisfied);
  EXPECT_GE(s.grid.front(), 0.002);
  EXPECT_LT(s.grid.front(), 0.003);
  const ArmOutcomes all = table_of(s.trials, 0, 1).labelled({}, Labelling::kStated);
  EXPECT_FALSE(all.trains_somewhere());
  for (const Observation& c : training_crossings(all, 0)) {
    EXPECT_TRUE(std::isinf(c.low));
    EXPECT_EQ(c.high, std::log(s.grid.front()));
  }
}

TEST(Search, NeverMoreThanMaxRates) {
  SimulatedTrials source([](size_t, double v, int64_t) { return known_frontier(v, 0.01, 100); });
  SearchOptions o = options(1);
  o.max_rates = 5;
  o.ratio = 3;
  const Searched s = search_frontiers(o, source);
  EXPECT_EQ(s.grid.size(), 5u);
  EXPECT_EQ(s.failing_side, GridEnd::kMaxRates);
  EXPECT_EQ(s.other_side, GridEnd::kSatisfied);
  EXPECT_EQ(s.grid.back(), 0.27) << "only one value below the best is needed";
}

TEST(Search, RefinesWithBothRatesOrNone) {
  SimulatedTrials source([](size_t, double v, int64_t) { return known_frontier(v, 0.01, 0.05); });
  SearchOptions o = options(1);
  const auto rates = std::ssize(search_frontiers(o, source).grid);
  o.max_rates = rates + 1;
  EXPECT_TRUE(values_of_arm(search_frontiers(o, source), 0, true).empty());
  o.max_rates = rates + 2;
  EXPECT_EQ(values_of_arm(search_frontiers(o, source), 0, true).size(), 2u);
}

TEST(Search, AValueThatIsRefusedEndsTheGrid) {
  SimulatedTrials source([](size_t, double v, int64_t) { return known_frontier(v, 0.01, 10); });
  source.refused_above = 0.04;
  const Searched s = search_frontiers(options(1), source);
  EXPECT_EQ(s.grid.back(), 0.03375);
  EXPECT_EQ(s.failing_side, GridEnd::kRefused);
  EXPECT_EQ(s.refusal, "too much of it");
}

TEST(Search, DoesNotGrowWhereTrialsFailByThemselves) {
  SimulatedTrials source([](size_t, double v, int64_t) {
    SimulatedEnd e = known_frontier(v, 0.01, 10);
    e.fails = v > 0.05 || v < 0.005;
    return e;
  });
  const Searched s = search_frontiers(options(1), source);
  EXPECT_EQ(s.grid.back(), 0.05063) << "one beyond the last with a result";
  EXPECT_EQ(s.failing_side, GridEnd::kSatisfied);
}

TEST(Search, WithRoomForOneTheSideThatMoreArmsWait) {
  // Two arms want to go down, one up.
  SimulatedTrials source([](size_t arm, double v, int64_t) {
    return arm < 2 ? known_frontier(v, 1e-4, 1e-3) : known_frontier(v, 1, 10);
  });
  SearchOptions o = options(3);
  o.max_rates = 4;
  const Searched s = search_frontiers(o, source);
  EXPECT_EQ(s.grid, (std::vector<double>{0.004444, 0.006667, 0.01, 0.015}));
}

TEST(Search, WhereSmallValuesFailTheFailingSideIsDown) {
  // A warm-up below 20 steps fails; more than 50 is worse than 50.
  SimulatedTrials source(
      [](size_t, double v, int64_t) { return known_frontier(1 / v, 1 / 50.0, 1 / 20.0); });
  SearchOptions o = options(1);
  o.start = 50;
  o.direction = -1;
  o.whole = true;
  const Searched s = search_frontiers(o, source);
  EXPECT_EQ(s.failing_side, GridEnd::kSatisfied);
  EXPECT_LT(s.grid.front(), 20);
  EXPECT_GT(s.grid.back(), 50);
  for (const SearchedTrial& t : s.trials) EXPECT_EQ(t.value, std::round(t.value));
  const ArmOutcomes all = table_of(s.trials, 0, -1).labelled({}, Labelling::kStated);
  const Observation crossing = mean_training_crossing(all, 0);
  ASSERT_TRUE(crossing.exact());
  EXPECT_NEAR(std::exp(-crossing.low), 20, 0.5);
}

TEST(Search, WholeValuesThatAreTheSameAreTriedOnce) {
  SimulatedTrials source([](size_t, double v, int64_t) { return known_frontier(v, 3, 9); });
  SearchOptions o = options(1);
  o.start = 1;
  o.ratio = 1.2;
  o.whole = true;
  const Searched s = search_frontiers(o, source);
  EXPECT_EQ(s.grid[0], 1);
  EXPECT_EQ(s.grid[1], 2);
  EXPECT_EQ(s.other_side, GridEnd::kSatisfied);
  EXPECT_TRUE(std::adjacent_find(s.grid.begin(), s.grid.end()) == s.grid.end());
}

TEST(Search, GoesOnWhereItWasStopped) {
  const auto end = [](size_t arm, double v, int64_t seed) {
    return known_frontier(
        v, 0.004,
        0.02 * (1 + 0.3 * static_cast<double>(arm)) * (1 + 0.05 * static_cast<double>(seed)));
  };
  SimulatedTrials whole(end);
  const Searched once = search_frontiers(options(2), whole);
  SimulatedTrials again(end);
  Searched last;
  int64_t stops = 0;
  do {
    again.left = 7;
    last = search_frontiers(options(2), again);
    stops += last.stopped ? 1 : 0;
  } while (last.stopped && stops < 1000);
  EXPECT_GT(stops, 2);
  EXPECT_EQ(again.ran, whole.ran) << "no trial twice";
  EXPECT_EQ(last.grid, once.grid);
  ASSERT_EQ(last.trials.size(), once.trials.size());
  for (size_t i = 0; i < once.trials.size(); ++i) {
    EXPECT_EQ(last.trials[i].row.plan.id, once.trials[i].row.plan.id);
  }
}

TEST(Search, StoppedTrialsNearTheFrontierAreRunToTheirEnd) {
  // Lost right from the frontier on.
  SimulatedTrials source([](size_t, double v, int64_t) {
    SimulatedEnd e = known_frontier(v, 0.004, 0.02);
    e.lost = v > 0.021;
    return e;
  });
  SearchOptions o = options(1);
  o.check_early_stop = true;
  const Searched s = search_frontiers(o, source);
  ASSERT_FALSE(s.twins.empty());
  for (const SearchedTrial& t : s.twins) {
    EXPECT_TRUE(t.row.plan.id.ends_with("-full"));
    EXPECT_EQ(t.row.result->ended, TrialEnd::kFinished);
    EXPECT_GT(t.value, 0.021);
    EXPECT_LT(t.value, 0.021 * 1.5);
    EXPECT_TRUE(t.diverged[0]);
  }
  o.early_stop = false;
  SimulatedTrials full([](size_t, double v, int64_t) { return known_frontier(v, 0.004, 0.02); });
  EXPECT_TRUE(search_frontiers(o, full).twins.empty()) << "nothing was stopped";
}

TEST(Search, TrialsThatFailByThemselvesAreLeftOut) {
  SimulatedTrials source([](size_t arm, double v, int64_t seed) {
    SimulatedEnd e = known_frontier(v, 0.004, 0.02);
    e.fails = arm == 1 || seed == 2;
    return e;
  });
  const Searched s = search_frontiers(options(2), source);
  const size_t values = s.grid.size() + values_of_arm(s, 0, true).size();
  EXPECT_EQ(table_of(s.trials, 0, 1).outcomes.size(), 2 * values) << "two of three seeds";
  EXPECT_TRUE(table_of(s.trials, 1, 1).outcomes.empty());
  EXPECT_GT(s.grid.back(), 0.02) << "the other arm's search goes on";
}

TEST(Search, RefusesWhatIsNoSearch) {
  SimulatedTrials source([](size_t, double, int64_t) { return SimulatedEnd{}; });
  expect_error<DataError>("frontier: a search needs an arm, a seed and a start above 0",
                          [&] { search_frontiers(SearchOptions{}, source); });
}

TEST(ArmTable, InitialLossIsTheMeanOfFirstLosses) {
  std::vector<SearchedTrial> trials(2);
  for (SearchedTrial& t : trials) {
    t.value = 0.1;
    t.row.result = simulated_result(2, false, false);
  }
  trials[1].seed = 1;
  trials[0].row.result->losses[0] = 5;
  EXPECT_EQ(table_of(trials, 0, 1).scale.initial_loss, 4.5);
  EXPECT_EQ(table_of(trials, 0, 1).scale.unigram_entropy, kSimulatedH1);
  trials[0].row.result->losses = {std::nan("")};
  EXPECT_EQ(table_of(trials, 0, 1).scale.initial_loss, 4);
  trials[1].row.result->losses = {std::nan("")};
  EXPECT_EQ(table_of(trials, 0, 1).scale.initial_loss, kSimulatedH1);
}

}  // namespace
}  // namespace keel
