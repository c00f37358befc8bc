// The file of a sweep (`keel sweep SWEEP.toml`): a grid or a list of values of config keys, for
// each of some seeds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/written.h"
#include "lab/sweep/external.h"
#include "lab/sweep/plan.h"
#include "lab/verdict.h"

namespace keel {

struct SweepConfig final : Config {
  std::string base;  // config file of our own trainer; none where [trial] names a command
  Written seeds, grid, set;
  std::vector<Written> list;
  int64_t jobs = 0, max_trials = 2000;
  bool early_stop = true, keep_runs = false;
  ExternalConfig trial;
  VerdictConfig rule;
  void fields(Fields& f) override;
  void validate(Errors& errors) const override;
};

struct Sweep {
  std::string file;  // absolute
  TrialSetup setup;
  std::vector<TrialPlan> trials;  // all values with the first seed, then with the second
  int64_t jobs = 0;
  bool keep = false;
  std::vector<std::string> notes;
};

// Reads the file and plans all trials. ConfigError with all that is wrong, also for more trials
// than max_trials unless `many`.
Sweep read_sweep(const std::string& path, bool many);

// The setup that a file's values make up, shared with other files that run trials. Relative
// commands start in the folder of `file`.
TrialSetup make_setup(const std::string& file, const std::string& base, const ExternalConfig& trial,
                      const VerdictConfig& rule, bool early_stop, const std::vector<Setting>& sets);

// Adds the trials to the store and notes what they are run with. ConfigError when the store was
// begun with another setup, or has trials that are not among these: the file, or its base, has
// changed.
void enter_sweep(TrialStore& store, const Sweep& sweep);

}  // namespace keel
