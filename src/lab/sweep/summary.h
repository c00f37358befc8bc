// How a sweep stands and what came of it, as tables and JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "io/json.h"
#include "lab/sweep/store.h"
#include "lab/verdict.h"

namespace keel {

struct JudgedTrial {
  TrialRow row;
  std::optional<JudgedRun> judged;  // of a trial that is done
};
// By the one rule. L* is the lowest mean over seeds of an arm, which is all trials whose values
// differ in optim.lr alone; lost runs enter it at their first loss. DataError where a result cannot
// be judged.
std::vector<JudgedTrial> judge_trials(std::vector<TrialRow> rows, const VerdictConfig& rule);
int64_t diverged_in(const std::vector<JudgedTrial>& trials);

// Values, seed, validation loss and verdict of each trial, a line each.
std::string trials_table(const std::vector<JudgedTrial>& trials);
// {"trials", "done", "running", "failed", "pending", "diverged", "duplicates"}.
Json counts_json(const TrialCounts& counts, int64_t diverged);
// One for each trial.
Json trials_json(const std::vector<JudgedTrial>& trials);

// Seconds until all are done, by the mean of those that are; negative where none is.
double seconds_left(TrialStore& store, const TrialCounts& counts, int64_t jobs);
// "12 of 36 trials done, 2 running, 1 failed".
std::string counts_text(const TrialCounts& counts);

}  // namespace keel
