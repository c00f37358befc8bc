// Every error text of a frontier's file, and what a good one says.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "core/error.h"
#include "harness/expect_error.h"
#include "io/temp_dir.h"
#include "lab/search/spec.h"

namespace keel {
namespace {

const char* const kGood =
    "base = \"run.toml\"\n"
    "seeds = 3\n"
    "arms = [{name = \"a\", set = {method = \"baseline\"}},\n"
    "        {name = \"b\", set = {method = \"qk_norm\"}},\n"
    "        {name = \"c\", set = {}}]\n";

FrontierSpec load(const std::string& text) {
  const TempDir dir;
  std::ofstream(dir / "f.toml") << text;
  return load_frontier_spec(dir / "f.toml");
}

std::string error_of(const std::string& text) {
  const TempDir dir;
  std::ofstream(dir / "f.toml") << text;
  try {
    load_frontier_spec(dir / "f.toml");
  } catch (const ConfigError& e) {
    std::string what = e.what();
    for (size_t at = 0; (at = what.find(dir.path() + "/")) != what.npos;) {
      what.erase(at, dir.path().size() + 1);
    }
    return what;
  }
  return "";
}

TEST(FrontierSpec, WhatAGoodFileSays) {
  const FrontierSpec s = load(std::string(kGood) +
                              "start = 0.01\nratio = 2\ncap = 1\n"
                              "contrasts = [\"b > a\", \"b = c\", \"a - c\", \"b > c > a\",\n"
                              "             {name = \"b > a\", measure = \"best_loss\"}]\n"
                              "published = {a = 6e-3, b = 1}\n"
                              "[rule]\nmargin = 0.3\n[regime]\nfails = \"a\"\n");
  EXPECT_EQ(s.title, "f");
  EXPECT_TRUE(s.base.ends_with("/run.toml"));
  EXPECT_EQ(s.seed_list(), (std::vector<int64_t>{1, 2, 3}));
  EXPECT_EQ(s.key, "optim.lr");
  EXPECT_EQ(s.direction(), 1);
  EXPECT_DOUBLE_EQ(s.log_margin(), std::log(2));
  EXPECT_EQ(s.rule.margin, 0.3);
  EXPECT_EQ(s.published_values(), (std::map<std::string, double>{{"a", 6e-3}, {"b", 1.0}}));
  EXPECT_EQ(s.most_trials(), 3 * 3 * 24);
  const std::vector<ContrastSpec> c = s.contrast_list();
  ASSERT_EQ(c.size(), 6u);
  using Claim = ContrastSpec::Claim;
  EXPECT_EQ(c[0].name, "b > a");
  EXPECT_EQ(c[0].a, 1u);
  EXPECT_EQ(c[0].b, 0u);
  EXPECT_EQ(c[0].claim, Claim::kGreater);
  EXPECT_EQ(c[0].measure, "training_frontier");
  EXPECT_EQ(c[1].claim, Claim::kEqual);
  EXPECT_EQ(c[2].claim, Claim::kNone);
  EXPECT_EQ(c[3].name, "b > c");
  EXPECT_EQ(c[4].name, "c > a");
  EXPECT_EQ(c[5].measure, "best_loss");
}

TEST(FrontierSpec, SeedsMarginAndDirection) {
  const FrontierSpec s = load(
      "base = \"run.toml\"\nseeds = [5, 0]\nfrom = \"below\"\nmargin = 1.2\n"
      "check_early_stop = true\naxis = \"model.dim\"\naxis_values = [32, 64]\n"
      "arms = [{name = \"a\"}]\n");
  EXPECT_EQ(s.seed_list(), (std::vector<int64_t>{5, 0}));
  EXPECT_EQ(s.direction(), -1);
  EXPECT_DOUBLE_EQ(s.log_margin(), std::log(1.2));
  EXPECT_EQ(s.most_trials(), 2 * (1 * 2 * 24 * 2)) << "twins of all";
}

TEST(FrontierSpec, AllErrorsAtOnceWithTheirPlaces) {
  const std::string errors = error_of(
      "base = \"run.toml\"\nseeds = 0\nstrat = 1e-3\nratio = 1\n"
      "arms = [{name = \"a\", set = {}}, {name = \"a\", set = {x = 1}},\n"
      "        {name = \"b c\", set = {x = 2}}, {nmae = \"d\", set = 3}]\n");
  for (const char* line :
       {"f.toml:3:1: strat: unknown key, did you mean \"start\"?",
        "f.toml:6:41: arms[3].nmae: unknown key, did you mean \"name\"?",
        "f.toml:4:9: ratio: must be above 1 and at most 100, is 1.0",
        "f.toml:2:9: seeds: must be a number n from 1 to 1000, for the seeds 1 to n, or a list of "
        "different whole numbers from 0 on",
        "f.toml:5:41: arms[1].name: a second arm is called \"a\"",
        "f.toml:6:17: arms[2].name: must be a word, is \"b c\"",
        "f.toml:6:59: arms[3].set: must be a table"}) {
    EXPECT_NE(("\n" + errors + "\n").find("\n" + std::string(line) + "\n"), std::string::npos)
        << line << " in\n"
        << errors;
  }
}

TEST(FrontierSpec, ArmsThatAreEmptyOrTwice) {
  EXPECT_EQ(error_of("base = \"run.toml\"\nseeds = 2\n"),
            "f.toml: arms: must name at least one arm");
  EXPECT_EQ(error_of("base = \"run.toml\"\nseeds = 2\narms = []\n"),
            "f.toml:3:8: arms: must name at least one arm");
  EXPECT_EQ(error_of("base = \"run.toml\"\nseeds = 2\n"
                     "arms = [{name = \"a\"}, {name = \"a\", set = {x = 1}}]\n"),
            "f.toml:3:31: arms[1].name: a second arm is called \"a\"");
  EXPECT_EQ(error_of("base = \"run.toml\"\nseeds = 2\n"
                     "arms = [{name = \"a\", set = {x = 1}}, {name = \"b\", set = {x = 1}}]\n"),
            "f.toml:3:57: arms[1].set: sets the same as arm \"a\"");
  EXPECT_EQ(
      error_of("base = \"run.toml\"\nseeds = 2\narms = [{name = \"a b\"}, {set = {x = 1}}]\n"),
      "f.toml:3:17: arms[0].name: must be a word, is \"a b\"\n"
      "f.toml: arms[1].name: must be a word, is \"\"");
}

TEST(FrontierSpec, Contrasts) {
  const auto of = [](const std::string& contrasts) {
    return error_of(kGood + ("contrasts = " + contrasts + "\n"));
  };
  EXPECT_EQ(of("[\"a > z\"]"), "f.toml:6:14: contrasts[0]: no arm is called \"z\"");
  EXPECT_EQ(of("[\"a b\"]"),
            "f.toml:6:14: contrasts[0]: \"a b\" is not of the form \"A > B\", \"A = B\" or \"A - "
            "B\", with spaces between");
  EXPECT_EQ(of("[\"a > a\"]"), "f.toml:6:14: contrasts[0]: \"a\" is compared with itself");
  EXPECT_EQ(of("[\"a > b\", \"a > b\"]"), "f.toml:6:23: contrasts[1]: \"a > b\" is there twice");
  EXPECT_EQ(of("[3]"),
            "f.toml:6:14: contrasts[0]: must be a text such as \"A > B\", or a table with name");
  EXPECT_EQ(of("\"a > b\""), "f.toml:6:13: contrasts: must be a list");
  EXPECT_EQ(of("[{name = \"a > b\", mesure = \"best_loss\"}]"),
            "f.toml:6:14: contrasts[0]: \"mesure\": unknown key, did you mean \"measure\"?");
  EXPECT_EQ(of("[{name = \"a > b\", measure = \"bestloss\"}]"),
            "f.toml:6:14: contrasts[0]: measure: must be one of \"training_frontier\", "
            "\"divergence_frontier\", \"best_loss\", \"common_loss\", is \"bestloss\", did you "
            "mean \"best_loss\"?");
  EXPECT_EQ(of("[{name = 3}]"), "f.toml:6:14: contrasts[0]: name: must be a string");
}

TEST(FrontierSpec, GridAndNumbers) {
  const auto of = [](const std::string& more) { return error_of(kGood + more); };
  EXPECT_EQ(of("start = 0.01\ncap = 0.001\n"),
            "f.toml:7:7: cap: must not be below start, 0.01, is 0.001");
  EXPECT_EQ(of("start = 0.01\nfloor = 0.1\n"),
            "f.toml:7:9: floor: must not be above start, 0.01, is 0.1");
  EXPECT_EQ(of("ratio = 1\n"), "f.toml:6:9: ratio: must be above 1 and at most 100, is 1.0");
  EXPECT_EQ(of("start = 0\n"), "f.toml:6:9: start: must be above 0, is 0.0");
  EXPECT_EQ(of("margin = 0.5\n"),
            "f.toml:6:10: margin: must be a factor above 1, or 0 for ratio; is 0.5");
  EXPECT_EQ(of("from = \"top\"\n"),
            "f.toml:6:8: from: must be one of \"above\", \"below\", is \"top\"");
}

TEST(FrontierSpec, NamesThatAreNoArms) {
  EXPECT_EQ(error_of(std::string(kGood) + "published = {a = 1, d = 2, b = \"x\"}\n"
                                          "[regime]\nfails = \"z\"\n"),
            "f.toml:6:25: published.d: no arm is called so\n"
            "f.toml:6:32: published.b: must be a number\n"
            "f.toml:8:9: regime.fails: no arm is called \"z\"");
  EXPECT_EQ(error_of(std::string(kGood) + "published = 3\n"),
            "f.toml:6:13: published: must be a table of arms and numbers");
}

TEST(FrontierSpec, BaseAxisAndTables) {
  EXPECT_EQ(error_of("seeds = 2\narms = [{name = \"a\"}]\n"),
            "f.toml: base: missing: the config of the trials, or trial.command for a trainer that "
            "is not ours");
  EXPECT_EQ(error_of(std::string(kGood) + "axis = \"model.dim\"\n"),
            "f.toml: axis_values: is missing: axis and axis_values go together");
  EXPECT_EQ(error_of(std::string(kGood) + "axis_values = [1, 2]\n"),
            "f.toml: axis: is missing: axis and axis_values go together");
  EXPECT_EQ(error_of(std::string(kGood) + "axis = \"optim.lr\"\naxis_values = [1, 1]\n"),
            "f.toml:6:8: axis: must be another key than key\n"
            "f.toml:7:15: axis_values: a value is there twice");
  EXPECT_EQ(error_of("base = \"run.toml\"\nseeds = 2\nset = 3\narms = [{name = \"a\", set = 3}]\n"),
            "f.toml:4:28: arms[0].set: must be a table\n"
            "f.toml:3:7: set: must be a table");
}

TEST(FrontierSpec, MoreTrialsThanMaxTrialsAskForYes) {
  FrontierSpec s = load(std::string(kGood) + "max_trials = 100\nmax_rates = 20\n");
  test::expect_error<ConfigError>(
      "3 arms with 3 seeds and up to 20 values may come to 180 trials, max_trials is 100: --yes "
      "runs them, a smaller max_rates needs fewer",
      [&] { check_most_trials(s, false); });
  check_most_trials(s, true);
  s.max_rates = 11;
  check_most_trials(s, false);
}

}  // namespace
}  // namespace keel
