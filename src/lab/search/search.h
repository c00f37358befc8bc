// The search for frontiers: all arms and seeds share one geometric grid of values of the key, which
// grows both ways until each arm has its best value inside and a failure, or until it may not grow
// any further; then each arm's crossing is refined. A pure function of the results of trials, so
// that a search that was stopped goes on where it was by doing it all again.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "lab/frontier.h"
#include "lab/sweep/trial.h"

namespace keel {

// Where trials come from and who runs them.
class TrialSource {
 public:
  virtual ~TrialSource() = default;
  // Of one trial; its id tells it from all others.
  virtual TrialPlan plan(size_t arm, double value, int64_t seed) = 0;
  // Why no arm can be run at this value; empty where all can.
  virtual std::string refusal(double value) = 0;
  // Has those done that are not yet. False where a stop came before the end.
  virtual bool run(const std::vector<TrialPlan>& plans, bool early_stop) = 0;
  // Of trials that were run, in the order of `plans`.
  virtual std::vector<TrialRow> rows(const std::vector<TrialPlan>& plans) = 0;
};

struct SearchOptions {
  size_t arms = 0;
  std::vector<int64_t> seeds;
  double start = 0, ratio = 1.5;
  double cap = 0, floor = 0;  // 0: none
  int64_t max_rates = 24;
  double direction = 1;  // -1 where small values fail
  bool whole = false;    // values of the key are whole numbers
  bool early_stop = true, check_early_stop = false;
  VerdictConfig rule;
};

struct SearchedTrial {
  size_t arm = 0;
  double value = 0;
  int64_t seed = 0;
  bool refining = false;
  TrialRow row;
  std::array<bool, kLabellings> diverged{};  // of one with a result, under each labelling
};
// Fills in `diverged`. DataError as judge_run.
void label(SearchedTrial& trial, const VerdictConfig& rule);

// Why a side of the grid ended although some arm wanted more of it.
enum class GridEnd : uint8_t { kSatisfied, kCap, kFloor, kMaxRates, kRefused };

struct Searched {
  bool stopped = false;               // before its end, as asked; the rest is then what there is
  std::vector<double> grid;           // common to all arms, ascending
  std::vector<SearchedTrial> trials;  // of the grid, then those that refine
  std::vector<SearchedTrial> twins;   // of stopped ones near a frontier, run to their end
  GridEnd failing_side = GridEnd::kSatisfied, other_side = GridEnd::kSatisfied;
  std::string refusal;  // of the value where a side ended as kRefused
};

Searched search_frontiers(const SearchOptions& options, TrialSource& source);

// What the trials of an arm came to. Trials that failed by themselves are not in it.
struct ArmTable {
  std::vector<Outcome> outcomes;  // log_rate: direction times the logarithm of the value
  LossScale scale;                // initial loss: mean of the first training losses

  // Without the trials that refine.
  ArmTable common() const;
  ArmOutcomes labelled(const VerdictConfig& rule, Labelling labelling) const {
    return ArmOutcomes(outcomes, scale, rule, labelling);
  }
};
ArmTable table_of(const std::vector<SearchedTrial>& trials, size_t arm, double direction);

// A factor around a frontier within which stopped trials are checked against full ones.
constexpr double kEarlyStopFactor = 1.5;

}  // namespace keel
