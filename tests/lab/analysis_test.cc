// What is made of the trials of a search, against values computed by hand.
#include "lab/search/analysis.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "config/text.h"
#include "core/error.h"
#include "io/temp_dir.h"
#include "lab/search/text.h"
#include "lab/stats/distributions.h"
#include "simulated_trials.h"

namespace keel {
namespace {

using namespace test;

// Two arms, best at 0.01, that fail at 0.04 and 0.09; seeds differ by these in log.
constexpr double kBest = 0.01, kFirst = 0.04, kSecond = 0.09;

SimulatedEnd two_arms(size_t arm, double v, int64_t seed) {
  const double shift = static_cast<double>(seed - 2) * (arm == 0 ? 0.1 : 0.05);
  return known_frontier(v, kBest, (arm == 0 ? kFirst : kSecond) * std::exp(shift));
}

FrontierSpec spec_of(const std::string& more) {
  const TempDir dir;
  std::ofstream(dir / "f.toml")
      << "base = \"run.toml\"\nstart = 0.01\n"
         "arms = [{name = \"plain\"}, {name = \"normed\", set = {x = 1}}]\n"
      << more;
  return load_frontier_spec(dir / "f.toml");
}

SearchReport report_of(const FrontierSpec& spec, const SimulatedTrials::End& end) {
  SearchReport report;
  report.spec = spec;
  report.arms = {{{}, "adamw, gpt2"}, {{"x=1"}, "adamw, gpt2"}};
  SearchOptions o;
  o.arms = 2;
  o.seeds = spec.seed_list();
  o.start = spec.start;
  o.ratio = spec.ratio;
  o.cap = spec.cap;
  o.floor = spec.floor;
  o.max_rates = spec.max_rates;
  o.direction = spec.direction();
  o.check_early_stop = spec.check_early_stop;
  o.rule = spec.rule;
  SimulatedTrials source(end);
  report.tables = {search_frontiers(o, source)};
  report.bigram_entropy = 2.5;
  return report;
}

const ContrastResult& contrast(const FrontierResult& r, const std::string& name,
                               const std::string& measure) {
  for (const ContrastResult& c : r.contrasts) {
    if (c.name == name && c.measure == measure) return c;
  }
  throw DataError("no such contrast");
}

bool has_note(const FrontierResult& r, const std::string& text) {
  for (const std::string& note : r.notes) {
    if (note == text) return true;
  }
  return false;
}

TEST(Analysis, ArmsByHand) {
  const FrontierResult r =
      analyse(report_of(spec_of("seeds = 3\npublished = {plain = 2}\n"), two_arms));
  ASSERT_EQ(r.arms.size(), 2u);
  const ArmResult& a = r.arms[0];
  EXPECT_EQ(a.name, "plain");
  EXPECT_EQ(a.seeds, 3);
  EXPECT_EQ(a.best_lr, kBest);
  EXPECT_NEAR(a.best_loss.value(), 2, 1e-9) << "all seeds, scored in turn, at the same rate";
  EXPECT_NEAR(a.training_frontier.value.value(), kFirst, 1e-4 * kFirst);
  EXPECT_NEAR(r.arms[1].training_frontier.value.value(), kSecond, 1e-4 * kSecond);
  EXPECT_NEAR(a.headroom.value(), 4, 1e-3);
  EXPECT_EQ(a.training_frontier.censored, "");
  EXPECT_FALSE(a.training_frontier.ill_determined);
  EXPECT_LT(a.training_frontier.low.value(), kFirst);
  EXPECT_GT(a.training_frontier.high.value(), kFirst);
  EXPECT_GT(a.divergence_frontier.value.value(), a.training_frontier.value.value());
  EXPECT_EQ(a.published, 2.0);
  EXPECT_FALSE(r.arms[1].published);
  EXPECT_EQ(r.arms[1].sets, std::vector<std::string>{"x=1"});
  EXPECT_EQ(a.step_seconds, 0.01);
  EXPECT_EQ(a.peak_bytes, 1000.0);
  EXPECT_GT(a.sensitivity.value(), 0);
  EXPECT_EQ(r.unigram_entropy, kSimulatedH1);
  EXPECT_EQ(r.rankings.size(), 3u);
  EXPECT_EQ(r.rankings[0], (std::vector<std::string>{"normed", "plain"}));
  EXPECT_EQ(r.failed, 0);
  EXPECT_EQ(r.trials, std::ssize(a.trials) + std::ssize(r.arms[1].trials));
  EXPECT_NEAR(r.seconds, 10.0 * static_cast<double>(r.trials), 1e-6);
  EXPECT_GT(r.early_stop_saving.value(), 0);
}

TEST(Analysis, RatesAndTrials) {
  const FrontierResult r = analyse(report_of(spec_of("seeds = 3\n"), two_arms));
  const ArmResult& a = r.arms[0];
  for (size_t i = 1; i < a.rates.size(); ++i) EXPECT_LT(a.rates[i - 1].rate, a.rates[i].rate);
  EXPECT_EQ(a.rates.front().share_diverged + a.rates.front().share_not_training, 0);
  EXPECT_EQ(a.rates.back().share_diverged, 1);
  EXPECT_NEAR(a.rates.back().mean_loss, kSimulatedStart, 1e-12) << "lost runs at the initial loss";
  EXPECT_EQ(a.trials.size(), 3 * a.rates.size());
  EXPECT_EQ(a.trials.front().verdict, "trains");
  EXPECT_FALSE(a.trials.front().step);
  const ArmTrial& last = a.trials.back();
  EXPECT_EQ(last.verdict, "diverged");
  EXPECT_TRUE(last.stopped_early);
  EXPECT_EQ(last.loss, kSimulatedStart);
  EXPECT_TRUE(last.step);
}

TEST(Analysis, ContrastsByHand) {
  const FrontierResult r =
      analyse(report_of(spec_of("seeds = 3\ncontrasts = [\"normed > plain\"]\n"), two_arms));
  ASSERT_EQ(r.contrasts.size(), 4u);
  EXPECT_EQ(r.contrasts[0].measure, "training_frontier");
  const ContrastResult& c = r.contrasts[0];
  // Differences in log: log 2.25 + {0.05, 0, -0.05}.
  const double value = std::log(kSecond / kFirst), error = 0.05 / std::sqrt(3);
  EXPECT_NEAR(c.estimate.value(), std::exp(value), 1e-3);
  EXPECT_NEAR(c.p.value(), t_two_sided_p(value / error, 2), 2e-5);
  EXPECT_EQ(c.p, c.holm_p);
  EXPECT_NEAR(c.low.value(), std::exp(value - t_quantile(0.975, 2) * error), 2e-3);
  EXPECT_NEAR(c.high.value(), std::exp(value + t_quantile(0.975, 2) * error), 2e-3);
  EXPECT_EQ(c.verdict, "differs");
  EXPECT_TRUE(c.order_holds);
  EXPECT_EQ(c.claim, "reproduced");
  EXPECT_EQ(c.smallest_p, 0.25);
  EXPECT_GE(c.seeds_to_resolve.value(), 2);
  // The same losses at the best rate: a tie, and of no claim.
  const ContrastResult& loss = contrast(r, "normed > plain", "best_loss");
  EXPECT_NEAR(loss.estimate.value(), 0, 1e-9);
  EXPECT_EQ(loss.claim, "");
  // At the furthest rate at which all seeds of both train: 0.03375 on the grid.
  const ContrastResult& common = contrast(r, "normed > plain", "common_loss");
  const double x = std::log(0.03375 / kBest);
  double expected = 0;
  for (const double s : {-1.0, 0.0, 1.0}) {
    expected += 0.2 * x / (std::log(kSecond / kBest) + 0.05 * s) / 3;
    expected -= 0.2 * x / (std::log(kFirst / kBest) + 0.1 * s) / 3;
  }
  EXPECT_NEAR(common.estimate.value(), expected, 1e-6);
  EXPECT_EQ(common.verdict, "differs");
}

// Of the only contrast of a file.
std::string claim_of(const std::string& contrast, const SimulatedTrials::End& end) {
  const FrontierSpec spec = spec_of("seeds = 3\ncontrasts = [" + contrast + "]\n");
  for (const ContrastResult& c : analyse(report_of(spec, end)).contrasts) {
    if (!c.claim.empty()) return c.verdict + ", " + c.claim;
  }
  return "none";
}

TEST(Analysis, ClaimsThatAreContradictedOrNotResolved) {
  EXPECT_EQ(claim_of("\"normed > plain\"", two_arms), "differs, reproduced");
  EXPECT_EQ(claim_of("\"plain > normed\"", two_arms), "differs, contradicted");
  EXPECT_EQ(claim_of("\"plain = normed\"", two_arms), "differs, contradicted");
  EXPECT_EQ(claim_of("\"normed - plain\"", two_arms), "none");
  EXPECT_EQ(claim_of("{name = \"plain = normed\", measure = \"best_loss\"}", two_arms),
            "tie, reproduced");
  // Arms that are the same but for noise: a tie speaks against an order.
  const auto same = [](size_t arm, double v, int64_t s) {
    const double shift = 0.01 * static_cast<double>((s + static_cast<int64_t>(arm)) % 3);
    return known_frontier(v, kBest, kFirst * std::exp(shift));
  };
  EXPECT_EQ(claim_of("\"plain > normed\"", same), "tie, contradicted");
  EXPECT_EQ(claim_of("\"plain = normed\"", same), "tie, reproduced");
  // Much noise: neither.
  const auto noisy = [](size_t arm, double v, int64_t s) {
    const double shift = 0.5 * static_cast<double>((s + static_cast<int64_t>(arm)) % 3);
    return known_frontier(v, kBest, kFirst * std::exp(shift));
  };
  EXPECT_EQ(claim_of("\"plain > normed\"", noisy), "not resolved, not resolved");
}

TEST(Analysis, CensoredToTheRightIsABound) {
  const FrontierResult r = analyse(
      report_of(spec_of("seeds = 3\ncap = 0.06\ncontrasts = [\"normed > plain\"]\n"), two_arms));
  const ArmResult& b = r.arms[1];
  EXPECT_EQ(b.training_frontier.censored, "right");
  EXPECT_EQ(b.training_frontier.value, 0.05063) << "the very value that was run";
  EXPECT_FALSE(b.training_frontier.high);
  EXPECT_NEAR(b.headroom.value(), 5.063, 1e-9);
  EXPECT_TRUE(has_note(r,
                       "normed never fails up to optim.lr = 0.05063; the grid ended by cap = 0.06: "
                       "stable at least so far."));
  const ContrastResult& c = contrast(r, "normed > plain", "training_frontier");
  EXPECT_FALSE(c.estimate);
  EXPECT_FALSE(c.high);
}

TEST(Analysis, CensoredToTheLeftIsABound) {
  const FrontierResult r = analyse(
      report_of(spec_of("seeds = 3\nfloor = 0.004\n"), [](size_t arm, double v, int64_t seed) {
        if (arm == 1) return SimulatedEnd{3.9, true, false};
        return two_arms(arm, v, seed);
      }));
  const ArmResult& b = r.arms[1];
  EXPECT_EQ(b.training_frontier.censored, "left");
  EXPECT_NEAR(b.training_frontier.value.value(), b.rates.front().rate, 1e-12);
  EXPECT_FALSE(b.training_frontier.low);
  EXPECT_FALSE(b.best_lr);
  EXPECT_FALSE(b.best_loss);
  EXPECT_FALSE(b.headroom);
  bool said = false;
  for (const std::string& note : r.notes) {
    said = said || note.starts_with("normed fails at every optim.lr that was tried, from ");
  }
  EXPECT_TRUE(said);
  EXPECT_NEAR(r.arms[0].training_frontier.value.value(), kFirst, 1e-3 * kFirst);
}

TEST(Analysis, WhereSmallValuesFailBoundsTurnAround) {
  const auto below = [](size_t arm, double v, int64_t seed) {
    return two_arms(arm, kBest * kBest / v, seed);
  };
  const FrontierResult r = analyse(report_of(
      spec_of("seeds = 3\nfrom = \"below\"\nfloor = 0.0015\ncontrasts = [\"plain > normed\"]\n"),
      below));
  EXPECT_FALSE(r.above);
  const double expected = kBest * kBest / kFirst;
  EXPECT_NEAR(r.arms[0].training_frontier.value.value(), expected, 2e-3 * expected);
  EXPECT_LT(r.arms[0].training_frontier.low.value(), expected);
  EXPECT_GT(r.arms[0].training_frontier.high.value(), expected);
  EXPECT_NEAR(r.arms[0].headroom.value(), 4, 0.01);
  EXPECT_EQ(r.arms[1].training_frontier.censored, "left") << "never fails down to the floor";
  EXPECT_FALSE(r.arms[1].training_frontier.low);
  EXPECT_EQ(r.rankings[0].front(), "normed");
}

TEST(Analysis, OneSeedHasNoIntervals) {
  const FrontierResult r =
      analyse(report_of(spec_of("seeds = 1\ncontrasts = [\"normed > plain\"]\n"), two_arms));
  EXPECT_TRUE(has_note(
      r, "Fewer than two seeds: there are no intervals, and nothing can be said to differ."));
  const FrontierValue& f = r.arms[0].training_frontier;
  EXPECT_NEAR(f.value.value(), kFirst * std::exp(-0.1), 1e-3);
  EXPECT_FALSE(f.low);
  EXPECT_FALSE(f.high);
  EXPECT_FALSE(f.ill_determined);
  // Between the last rate that passed and the first that diverged.
  EXPECT_GT(r.arms[0].divergence_frontier.value.value(), f.value.value());
  EXPECT_NEAR(r.arms[0].best_loss.value(), 2, 1e-9);
  EXPECT_EQ(r.contrasts[0].verdict, "not resolved");
  EXPECT_EQ(r.contrasts[0].claim, "not resolved");
  EXPECT_FALSE(r.contrasts[0].p);
}

TEST(Analysis, RatesOfDifferentOptimizersAreNotCompared) {
  SearchReport report =
      report_of(spec_of("seeds = 3\ncontrasts = [\"normed > plain\"]\n"), two_arms);
  report.arms[1].scale = "lion, gpt2";
  const FrontierResult r = analyse(report);
  EXPECT_FALSE(contrast(r, "normed > plain", "training_frontier").estimate);
  EXPECT_EQ(contrast(r, "normed > plain", "training_frontier").claim, "not resolved");
  EXPECT_FALSE(contrast(r, "normed > plain", "common_loss").estimate);
  EXPECT_TRUE(contrast(r, "normed > plain", "best_loss").estimate);
  EXPECT_TRUE(has_note(r,
                       "normed > plain: rates of different optimizers or parametrisations (lion, "
                       "gpt2; adamw, gpt2) are not compared."));
}

TEST(Analysis, RegimeCheckComesBeforeClaims) {
  const std::string claim = "seeds = 3\ncontrasts = [\"normed > plain\"]\n";
  FrontierResult r = analyse(
      report_of(spec_of(claim + "[regime]\nbelow_bigram = 0.2\nfails = \"plain\"\n"), two_arms));
  EXPECT_EQ(r.regime, "");
  EXPECT_EQ(r.contrasts[0].claim, "reproduced");
  r = analyse(report_of(spec_of(claim + "[regime]\nbelow_bigram = 0.6\n"), two_arms));
  EXPECT_EQ(r.regime,
            "not a test of the claim: the best arm's loss 2.0000 is not 0.6 nats below the bigram "
            "entropy 2.5000");
  EXPECT_EQ(r.contrasts[0].claim, "not resolved");
  r = analyse(
      report_of(spec_of("cap = 0.03\n" + claim + "[regime]\nfails = \"plain\"\n"), two_arms));
  EXPECT_EQ(r.regime, "not a test of the claim: plain does not fail inside the grid");
  SearchReport unknown = report_of(spec_of(claim + "[regime]\nbelow_bigram = 0.2\n"), two_arms);
  unknown.bigram_entropy.reset();
  EXPECT_EQ(analyse(unknown).regime,
            "not a test of the claim: the bigram entropy of the data is not known");
}

TEST(Analysis, EarlyStopAgainstFullRuns) {
  const std::string text = "seeds = 3\ncheck_early_stop = true\n";
  const auto lost_right_away = [](size_t arm, double v, int64_t seed) {
    SimulatedEnd e = two_arms(arm, v, seed);
    e.lost = v > (arm == 0 ? kFirst : kSecond);
    return e;
  };
  FrontierResult r = analyse(report_of(spec_of(text), lost_right_away));
  EXPECT_EQ(r.early_stop_agreement, 1.0);
  for (const ArmResult& a : r.arms) {
    EXPECT_GT(a.early_stops_checked, 0);
    EXPECT_EQ(a.early_stops_right, a.early_stops_checked);
  }
  SearchReport report = report_of(spec_of(text), lost_right_away);
  ASSERT_FALSE(report.tables[0].twins.empty());
  SearchedTrial& twin = report.tables[0].twins[0];
  twin.row.result = simulated_result(2.5, false, false);
  label(twin, report.spec.rule);
  r = analyse(report);
  const double twins = static_cast<double>(report.tables[0].twins.size());
  EXPECT_NEAR(r.early_stop_agreement.value(), 1 - 1 / twins, 1e-12);
  EXPECT_EQ(r.arms[0].early_stops_right, r.arms[0].early_stops_checked - 1);
  EXPECT_EQ(r.arms[1].early_stops_right, r.arms[1].early_stops_checked);
  const int64_t checked = r.arms[0].early_stops_checked;
  const std::string by_arm = fmt::format("By arm: plain {} of {}, normed", checked - 1, checked);
  EXPECT_NE(frontier_text(r).find(by_arm), std::string::npos) << frontier_text(r);
  bool said = false;
  for (const std::string& note : r.notes) said = said || note.starts_with("Early stop: of ");
  EXPECT_TRUE(said);
}

// Nothing is known beyond, and the grid need not grow for it.
TEST(Analysis, TrialsThatFailedAtHighRatesAreNoBound) {
  const FrontierResult r =
      analyse(report_of(spec_of("seeds = 3\n"), [](size_t arm, double v, int64_t seed) {
        SimulatedEnd e = two_arms(arm, v, seed);
        e.fails = arm == 1 && v > kSecond / 1.6;
        return e;
      }));
  const ArmResult& a = r.arms[1];
  EXPECT_EQ(a.training_frontier.censored, "right");
  const double last = a.rates.back().rate;
  EXPECT_TRUE(has_note(r, fmt::format("normed never fails up to optim.lr = {}; all trials at {} "
                                      "failed by themselves: stable at least so far.",
                                      plain(last), fmt::format("{:.4g}", 1.5 * last))))
      << fmt::format("{}", fmt::join(r.notes, "\n"));
}

TEST(Analysis, TrialsThatFailedAreSaid) {
  const FrontierResult r =
      analyse(report_of(spec_of("seeds = 3\n"), [](size_t arm, double v, int64_t seed) {
        SimulatedEnd e = two_arms(arm, v, seed);
        e.fails = arm == 1;
        return e;
      }));
  EXPECT_EQ(r.arms[1].seeds, 0);
  EXPECT_FALSE(r.arms[1].training_frontier.value);
  EXPECT_TRUE(has_note(r, "normed: no trial has a result."));
  EXPECT_GT(r.failed, 0);
  const FrontierResult none =
      analyse(report_of(spec_of("seeds = 3\n"), [](size_t, double, int64_t) {
        return SimulatedEnd{2, false, true};
      }));
  EXPECT_EQ(none.arms.size(), 2u);
  EXPECT_TRUE(has_note(none, "plain: no trial has a result."));
}

TEST(Analysis, GrowthOfNorms) {
  SearchReport report = report_of(spec_of("seeds = 3\n"), two_arms);
  for (SearchedTrial& t : report.tables[0].trials) {
    TrialResult& r = *t.row.result;
    r.series["attn_logit_max/layer00"] = {{1, 100}, {1, 10}};
    r.series["attn_logit_max/layer01"] = {{1, 100}, {3, 20}};
    r.series["out_norm_qkv/layer00"] = {{1, 100}, {1, 4}};
    r.series["out_norm_qkv/layer01"] = {{1, 100}, {3, 8}};
    r.series["update_ratio/all"] = {{1, 99, 100, 200}, {9, 8, t.value, 6}};
    r.series["update_ratio/layer00"] = {{1}, {1}};
    r.numbers["attn_logit_rms_at_init"] = 0.5;
    r.numbers["attention_rms_at_init"] = 0.25;
  }
  const FrontierResult r = analyse(report);
  const ArmResult& a = r.arms[0];
  ASSERT_TRUE(a.healthy && a.failing);
  EXPECT_EQ(a.healthy->rate, kBest);
  EXPECT_EQ(a.healthy->verdict, "trains");
  EXPECT_GT(a.failing->rate, 0.03);
  EXPECT_LT(a.failing->rate, 0.06);
  EXPECT_EQ(a.failing->verdict, "does not train");
  ASSERT_EQ(a.healthy->series.size(), 2u);
  EXPECT_EQ(a.healthy->series.at("attn_logit_max").values, (std::vector<double>{3, 20}));
  EXPECT_EQ(a.healthy->series.at("out_norm/qkv").values, (std::vector<double>{2, 6}));
  EXPECT_EQ(a.healthy->series.at("out_norm/qkv").steps, (std::vector<int64_t>{1, 100}));
  EXPECT_EQ(a.logit_rms, 0.5);
  EXPECT_EQ(a.branch_rms, 0.25);
  // The highest rate that is not above the frontier; the step at which the warm-up ends.
  ASSERT_TRUE(a.update_ratio);
  EXPECT_LE(*a.update_ratio, kFirst);
  EXPECT_GT(*a.update_ratio, kFirst / 1.5);
}

TEST(TrainingValue, WithoutAFitTheSeedsTogetherSayIt) {
  Estimate none;
  none.value = none.standard_error = std::nan("");
  const double infinity = INFINITY;
  FrontierValue v = training_value(none, {0, -1, std::log(2), std::log(8)}, 1);
  EXPECT_NEAR(v.value.value(), 4, 1e-12);
  EXPECT_EQ(v.censored, "");
  v = training_value(none, {0, -1, std::log(2), infinity}, 1);
  EXPECT_NEAR(v.value.value(), 2, 1e-12);
  EXPECT_EQ(v.censored, "right");
  v = training_value(none, {0, -1, -infinity, std::log(3)}, 1);
  EXPECT_NEAR(v.value.value(), 3, 1e-12);
  EXPECT_EQ(v.censored, "left");
  v = training_value(none, {0, -1, -std::log(2), infinity}, -1);
  EXPECT_NEAR(v.value.value(), 2, 1e-12);
  EXPECT_EQ(v.censored, "left");
  EXPECT_FALSE(v.low || v.high);
}

// One seed fails at the best rate or never fails, the others cross: no bound holds for all.
TEST(TrainingValue, ABoundOfSomeSeedsIsNone) {
  Estimate left;
  left.value = std::log(2);
  left.censored = Censored::kLeft;
  FrontierValue v = training_value(left, {0, -1, std::log(3), std::log(3)}, 1);
  EXPECT_NEAR(v.value.value(), 3, 1e-12);
  EXPECT_EQ(v.censored, "");
  EXPECT_TRUE(v.ill_determined);
  Estimate right = left;
  right.censored = Censored::kRight;
  v = training_value(right, {0, -1, std::log(2), std::log(8)}, 1);
  EXPECT_NEAR(v.value.value(), 4, 1e-12);
  EXPECT_TRUE(v.ill_determined);
  v = training_value(right, {0, -1, std::log(2), INFINITY}, 1);
  EXPECT_EQ(v.censored, "right");
  EXPECT_FALSE(v.ill_determined);
}

TEST(DivergenceValue, IsWhatWasSeenOfAllSeeds) {
  FrontierValue v = divergence_value({0, -1, std::log(0.02), std::log(0.045)}, 1);
  EXPECT_EQ(v.low, 0.02);
  EXPECT_EQ(v.high, 0.045);
  EXPECT_NEAR(v.value.value(), 0.03, 1e-12);
  EXPECT_EQ(v.censored, "");
  v = divergence_value({0, -1, std::log(0.02), INFINITY}, 1);
  EXPECT_EQ(v.value, 0.02);
  EXPECT_EQ(v.low, 0.02);
  EXPECT_FALSE(v.high);
  EXPECT_EQ(v.censored, "right");
  v = divergence_value({0, -1, -INFINITY, std::log(0.02)}, 1);
  EXPECT_EQ(v.value, 0.02);
  EXPECT_FALSE(v.low);
  EXPECT_EQ(v.censored, "left");
  // Small values fail: all pass down to 40, one fails at 10.
  v = divergence_value({0, -1, -std::log(40), -std::log(10)}, -1);
  EXPECT_EQ(v.low, 10);
  EXPECT_EQ(v.high, 40);
  EXPECT_NEAR(v.value.value(), 20, 1e-9);
}

std::vector<std::string> keys_of(const Json& object) {
  std::vector<std::string> keys;
  for (const JsonMember& m : object.as_object()) keys.push_back(m.key);
  return keys;
}

TEST(FrontierJson, KeysInTheirOrder) {
  const FrontierResult r = analyse(
      report_of(spec_of("seeds = 3\ncap = 0.06\ncontrasts = [\"normed > plain\"]\n"), two_arms));
  const Json j = parse_json(to_json(r).dump(), "result");
  EXPECT_EQ(keys_of(j), (std::vector<std::string>{"arms",
                                                  "contrasts",
                                                  "further_contrasts",
                                                  "title",
                                                  "key",
                                                  "above",
                                                  "ratio",
                                                  "level",
                                                  "rule",
                                                  "unigram_entropy",
                                                  "bigram_entropy",
                                                  "conditions",
                                                  "rankings",
                                                  "axis",
                                                  "held_fixed",
                                                  "axis_points",
                                                  "axis_trends",
                                                  "early_stop_agreement",
                                                  "early_stop_saving",
                                                  "regime",
                                                  "published_label",
                                                  "notes",
                                                  "commands",
                                                  "versions",
                                                  "trials",
                                                  "failed",
                                                  "seconds"}));
  const Json& arm = j.at("arms").as_array()[0];
  EXPECT_EQ(keys_of(arm), (std::vector<std::string>{"name",
                                                    "best_lr",
                                                    "best_loss",
                                                    "training_frontier",
                                                    "divergence_frontier",
                                                    "headroom",
                                                    "seeds",
                                                    "sets",
                                                    "update_ratio",
                                                    "step_seconds",
                                                    "peak_bytes",
                                                    "sensitivity",
                                                    "logit_rms",
                                                    "branch_rms",
                                                    "published",
                                                    "early_stop_saving",
                                                    "early_stops_checked",
                                                    "early_stops_right",
                                                    "rates",
                                                    "trials",
                                                    "healthy",
                                                    "failing"}));
  EXPECT_EQ(keys_of(arm.at("training_frontier")),
            (std::vector<std::string>{"value", "low", "high", "censored", "ill_determined"}));
  EXPECT_TRUE(arm.at("training_frontier").at("censored").is_null());
  const Json& bound = j.at("arms").as_array()[1].at("training_frontier");
  EXPECT_EQ(bound.at("censored").as_string(), "right");
  EXPECT_TRUE(bound.at("high").is_null());
  EXPECT_EQ(keys_of(j.at("contrasts").as_array()[0]),
            (std::vector<std::string>{"name", "estimate", "low", "high", "p", "verdict", "measure",
                                      "at", "holm_p", "claim", "order_holds", "smallest_p",
                                      "seeds_to_resolve"}));
}

TEST(FrontierText, TableAndMarkdown) {
  const FrontierResult r = analyse(report_of(
      spec_of("seeds = 3\ncap = 0.06\ncontrasts = [\"normed > plain\"]\npublished = {plain = 2}\n"
              "published_label = \"elsewhere\"\n"),
      two_arms));
  const std::string text = frontier_text(r);
  for (const char* part : {"f: optim.lr, ", "arm     loss    best  trains up to [95 %]",
                           "plain   2.0000  0.01  0.04 [", "> 0.0506", "normed > plain",
                           "Early stop saved ", "- normed never fails up to"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " in\n" << text;
  }
  const std::string markdown = frontier_markdown(r);
  for (const char* part :
       {"# f\n\nFrontiers of `optim.lr`, large values failing.", "| plain | 2.0000 | 0.01 | 0.04 [",
        "## Contrasts, fixed beforehand", "## By value", "published values (elsewhere)", "## Rule",
        "H1 = 3.0000 nats", "its bigram entropy is 2.5000", "## Conditions", "## Caveats",
        "- stated margin: normed, plain\n"}) {
    EXPECT_NE(markdown.find(part), std::string::npos) << part << " in\n" << markdown;
  }
}

TEST(FrontierText, Values) {
  FrontierValue v;
  EXPECT_EQ(frontier_value_text(v), "-");
  v.value = 0.01234;
  EXPECT_EQ(frontier_value_text(v), "0.0123");
  v.low = 0.01;
  EXPECT_EQ(frontier_value_text(v), "0.0123 [0.01, ..]");
  v.high = 0.02;
  v.ill_determined = true;
  EXPECT_EQ(frontier_value_text(v), "0.0123 [0.01, 0.02] ill-determined");
  v.censored = "right";
  EXPECT_EQ(frontier_value_text(v), "> 0.0123");
  v.censored = "left";
  EXPECT_EQ(frontier_value_text(v), "< 0.0123");
}

TEST(Analysis, FrontierAgainstAnAxis) {
  const double kPower = -std::log2(1.5);
  SearchReport report = report_of(
      spec_of("seeds = 3\naxis = \"model.dim\"\naxis_values = [32, 64, 128]\n"), two_arms);
  const FrontierSpec& spec = report.spec;
  report.tables.clear();
  for (const double at : spec.axis_values) {
    // Frontiers go with the width to a power that keeps the best on the grid, and to 0.
    FrontierSpec one = spec;
    one.axis.clear();
    const SearchReport part = report_of(one, [at, kPower](size_t arm, double v, int64_t seed) {
      const double shift = 0.05 * static_cast<double>(seed - 2);
      const double power = arm == 0 ? std::pow(at / 32, kPower) : 1.0;
      return known_frontier(v, kBest * power, kFirst * power * std::exp(shift));
    });
    report.tables.push_back(part.tables[0]);
  }
  const FrontierResult r = analyse(report);
  ASSERT_EQ(r.axis_points.size(), 6u);
  EXPECT_EQ(r.axis_points[2].arm, "plain");
  EXPECT_EQ(r.axis_points[2].at, 128);
  EXPECT_NEAR(r.axis_points[2].training_frontier.value.value(), kFirst / 2.25, 2e-4);
  ASSERT_EQ(r.axis_trends.size(), 4u);
  EXPECT_NEAR(r.axis_trends[0].exponent, kPower, 0.02);
  EXPECT_LT(r.axis_trends[0].low.value(), kPower);
  EXPECT_GT(r.axis_trends[0].high.value(), kPower);
  EXPECT_NEAR(r.axis_trends[0].coefficient.value() * std::pow(64, r.axis_trends[0].exponent),
              kFirst / 1.5, 1e-3);
  EXPECT_EQ(r.axis_trends[0].most, 512);
  EXPECT_NEAR(r.axis_trends[2].exponent, 0, 0.05);
  EXPECT_NE(frontier_markdown(r).find("## Against model.dim"), std::string::npos);
}

}  // namespace
}  // namespace keel
