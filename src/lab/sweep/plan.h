// From what a file asks for to trials: each is loaded and checked in full before anything runs, and
// its id is the hash of everything that its outcome depends on.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "config/written.h"
#include "lab/sweep/runner.h"
#include "lab/sweep/trial.h"
#include "train/config.h"

namespace keel {

// A key of a trial's config and its value as TOML, with the place in the file for messages
// ("sweep.toml:3:7", or empty).
struct Setting {
  std::string key, value, place;
};
struct SettingList {
  std::string key;
  std::vector<std::string> values;
  std::string place;
};

// The entries of a table such as [set], nested or dotted; relative paths among the values start in
// the folder of the file and become absolute.
std::vector<Setting> settings_of(const Written& table);
// The same of a table of lists such as [grid]. ConfigError with a line for each entry that is no
// list, or an empty one, or has a value twice.
std::vector<SettingList> setting_lists_of(const Written& table);
constexpr int64_t kMostSeeds = 1000;
// `seeds = 3` (1, 2, 3) or a list of different whole numbers, not negative. ConfigError with the
// place.
std::vector<int64_t> seeds_of(const Written& seeds);

// A value as a person writes it: TOML without the quotes of a plain word. TOML reads it back as the
// same value with --set.
std::string plain_value(const std::string& toml);

// A trial that a file asks for.
struct WantedTrial {
  std::string arm;
  std::vector<Setting> sets;    // of the whole file and of the arm, lowest layer first
  std::vector<Setting> values;  // what differs between trials, above `sets`
  int64_t seed = 0;
};
// All of them; one ConfigError with a line for each thing that is wrong, at its place in the file
// and naming the trial (the first of those that it concerns): what their configs are refused for,
// `train.dtype = "auto"`, two trials that are the same.
std::vector<TrialPlan> plan_trials(const TrialSetup& setup, const std::vector<WantedTrial>& wanted);
// One of them, as a search wants it; `sets` are "key=value" as --set takes them.
TrialPlan plan_trial(const TrialSetup& setup, const std::vector<std::string>& sets,
                     const std::vector<std::pair<std::string, std::string>>& values,
                     const std::string& arm, int64_t seed);

// The config of a trial of our own trainer.
RunConfig config_of(const TrialSetup& setup, const TrialPlan& plan);
// "optim.lr=0.1 seed 2", with the arm before it where there is one.
std::string trial_name(const TrialPlan& plan);

}  // namespace keel
