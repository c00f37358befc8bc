// One trial of our own trainer, in a folder of its own, from its config to its result.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "core/stop.h"
#include "lab/sweep/runner.h"
#include "lab/token_entropy.h"
#include "lab/verdict.h"
#include "train/config.h"

namespace keel {

// The entropies of the training split of `config`. Computed once for each data of a store, whose
// meta keeps them; the same for every process and every seed.
TokenEntropy data_entropy(TrialStore& store, const RunConfig& config);
// Of the same data, as Dataset::fingerprint() has it.
std::string data_fingerprint(TrialStore& store, const RunConfig& config);

// What a trial is judged by.
RunShape run_shape(const RunConfig& config, double unigram_entropy);
// Of a result, as it was noted when the trial ran ("warmup_steps" and "unigram_entropy" of its
// numbers, and its steps).
RunShape run_shape(const TrialResult& result);
// The rule of a setup. ConfigError.
VerdictConfig rule_of(const TrialSetup& setup);

// The rule that a store was begun with.
VerdictConfig stored_rule(TrialStore& store);

// The folder of a trial, OUT/trials/ID.
std::string trial_folder(const std::string& out, const std::string& id);

// Runs it, or goes on with it where the folder holds a checkpoint that verifies; else what the
// folder holds is removed and it starts anew. `heartbeat` is called after each step. Nothing when a
// stop was asked for: the folder then holds what it takes to go on. Throws the six errors for a
// trial that fails by itself.
std::optional<TrialResult> run_trial(TrialStore& store, const TrialSetup& setup,
                                     const std::string& out, const TrialPlan& plan,
                                     StopRequests& requests,
                                     const std::function<void()>& heartbeat);

}  // namespace keel
