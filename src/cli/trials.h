// What the commands that run trials have in common: their folder, how long they may take, and what
// is shown of them while they run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "cli/progress.h"
#include "lab/sweep/runner.h"
#include "lab/sweep/store.h"

namespace keel {

// sweeps/NAME of a file NAME.toml.
std::string default_out(const std::string& file);
// Makes a folder that may become, or is, one of trials. ConfigError for anything else.
void make_out_folder(const std::string& out);

// Seconds of all trials of our own trainer, none of them stopped early: a few steps of the first
// one are measured, the others are taken to be as fast for their work.
double measured_seconds(const TrialSetup& setup, const std::vector<TrialPlan>& trials);

// The state of a store while its trials run: a block that is redrawn on a terminal, else a line for
// each trial that ends.
class TrialScreen {
 public:
  TrialScreen(TrialStore& store, int64_t jobs);
  ~TrialScreen() { clear(); }
  TrialScreen(const TrialScreen&) = delete;
  TrialScreen& operator=(const TrialScreen&) = delete;

  void show(const TrialCounts& counts);
  void clear();

 private:
  std::string ending_of(const TrialRow& row);
  void draw(const std::vector<TrialRow>& rows, const TrialCounts& counts, const std::string& left);
  // A line of the block: one that wrapped would be two.
  void put(const std::string& line);

  TrialStore& store_;
  int64_t jobs_;
  ProgressOptions options_;
  std::set<std::string> seen_;  // trials that were told of
  int64_t over_ = -1, running_ = -1;
  double drawn_at_ = 0;
  size_t lines_ = 0;  // of the block
};

}  // namespace keel
