// A frontier's file made ready: what each arm sets, under which conditions, and what was decided
// for the file; and its trials in a store.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lab/search/analysis.h"
#include "lab/search/search.h"
#include "lab/search/spec.h"
#include "lab/sweep/plan.h"
#include "lab/sweep/runner.h"

namespace keel {

struct FrontierPlan {
  std::string file;     // absolute
  std::string command;  // that makes the result, for the report
  FrontierSpec spec;
  TrialSetup setup;   // its rule is the widest: a run is given up where it is lost under each
  TrialSetup stated;  // with the file's rule, by which trials are judged
  // Of each value of the axis (one where there is none) and each arm.
  std::vector<std::vector<std::vector<Setting>>> sets;
  std::vector<ArmFacts> arms;
  bool whole = false;  // the key's values are whole numbers
  std::vector<std::string> notes, held_fixed;
  std::vector<std::pair<std::string, std::string>> conditions;
};

// Reads the file and checks every arm. ConfigError with all that is wrong: of the file, of its arms
// at the first value, a key or an axis that is no number of the config, an arm that sets one of
// them; more trials than max_trials unless `many`.
FrontierPlan read_frontier(const std::string& path, bool many);

SearchOptions search_options(const FrontierPlan& plan);
// One trial; `axis` is the number of the axis's value, 0 where there is no axis.
TrialPlan frontier_trial(const FrontierPlan& plan, size_t axis, size_t arm, double value,
                         int64_t seed);

// Trials at one value of the axis. Those that are run to their end to check the early stop have a
// store of their own in OUT/full, since a store's trials are all run in one way.
class StoredTrials final : public TrialSource {
 public:
  using Tick = std::function<void(TrialStore&, const TrialCounts&)>;
  // All outlive it.
  StoredTrials(const FrontierPlan& plan, TrialStore& store, const RunnerOptions& options,
               StopRequests& requests, const Tick& tick)
      : plan_(plan), store_(store), options_(options), requests_(requests), tick_(tick) {}

  void at_axis(size_t value) { axis_ = value; }
  TrialPlan plan(size_t arm, double value, int64_t seed) override {
    return frontier_trial(plan_, axis_, arm, value, seed);
  }
  std::string refusal(double value) override;
  bool run(const std::vector<TrialPlan>& plans, bool early_stop) override;
  std::vector<TrialRow> rows(const std::vector<TrialPlan>& plans) override;

 private:
  const FrontierPlan& plan_;
  TrialStore& store_;
  const RunnerOptions& options_;
  StopRequests& requests_;
  const Tick& tick_;
  size_t axis_ = 0;
  std::unique_ptr<TrialStore> full_;
};

// ConfigError when the store was begun with another base, rule or trainer, another key, start or
// ratio, or with arms or seeds that are no longer there.
void enter_frontier(TrialStore& store, const FrontierPlan& plan, bool early_stop);

// The whole search and what came of it; nothing where a stop came before its end.
std::optional<FrontierResult> run_frontier(const FrontierPlan& plan, TrialStore& store,
                                           const RunnerOptions& options, StopRequests& requests,
                                           const StoredTrials::Tick& tick);

}  // namespace keel
