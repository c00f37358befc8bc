// The file that `keel frontier` reads: which recipes are compared, along which scalar, with which
// seeds, and what is asked of them beforehand.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "config/fields.h"
#include "config/written.h"
#include "lab/sweep/external.h"
#include "lab/verdict.h"

namespace keel {

// A recipe: what it changes of the base config.
struct ArmSpec final : Config {
  std::string name;
  Written set;
  void fields(Fields& f) override;
};

// The table [regime]: what must be true before claims are judged at all.
struct RegimeSpec final : Config {
  double below_bigram = 0;  // nats that the best arm must be below the bigram entropy; 0: not asked
  std::string fails;        // the arm that must fail inside the grid; empty: not asked
  void fields(Fields& f) override;
};

// One comparison. `ratio`: a frontier, compared in log; else a loss in nats.
struct ContrastSpec {
  enum class Claim : uint8_t { kNone, kGreater, kEqual };
  std::string name;     // "QK_norm > baseline"
  size_t a = 0, b = 0;  // arms: a over b, or a - b
  Claim claim = Claim::kNone;
  std::string measure;  // that the claim is about
};

// What a comparison may be about, in the order in which results are given.
inline constexpr const char* kMeasures[] = {"training_frontier", "divergence_frontier", "best_loss",
                                            "common_loss"};

struct FrontierSpec final : Config {
  std::string title, base;
  Written set, seeds;
  std::vector<ArmSpec> arms;
  std::string key = "optim.lr", from = "above";
  double start = 1e-3, ratio = 1.5, cap = 0, floor = 0;
  int64_t max_rates = 24, max_trials = 2000;
  double level = 0.95, margin = 0, loss_margin = 0.02;
  bool early_stop = true, check_early_stop = false;
  Written contrasts, published;
  std::string published_label;
  std::string axis;
  std::vector<double> axis_values;
  RegimeSpec regime;
  ExternalConfig trial;
  VerdictConfig rule;

  void fields(Fields& f) override;
  void validate(Errors& errors) const override;

  // 1 where large values fail, -1 where small ones do: what logarithms are multiplied by.
  double direction() const { return from == "above" ? 1 : -1; }
  // Of a tie between frontiers, in log rate: one grid ratio where the file does not say.
  double log_margin() const;
  // Only of a file that was read without an error.
  std::vector<int64_t> seed_list() const;
  std::vector<ContrastSpec> contrast_list() const;
  std::map<std::string, double> published_values() const;
  // The trials that the search may come to at most.
  int64_t most_trials() const;

 private:
  void validate_arms(Errors& errors) const;
  void validate_names(Errors& errors) const;
  void validate_seeds(Errors& errors) const;
  void validate_grid(Errors& errors) const;
  void validate_contrasts(Errors& errors) const;
  void validate_axis(Errors& errors) const;
};

// ConfigError with a line for each error.
FrontierSpec load_frontier_spec(const std::string& path);
// ConfigError where the file may come to more trials than its max_trials, unless `allowed` (--yes).
void check_most_trials(const FrontierSpec& spec, bool allowed);

}  // namespace keel
