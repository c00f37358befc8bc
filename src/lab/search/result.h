// What `keel frontier` found, as its JSON, its Markdown and its page show it. Rates and frontiers
// are in the units of the key, losses in nats a token. A number that is not known is absent.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "io/json.h"
#include "lab/sweep/trial.h"
#include "lab/verdict.h"

namespace keel {

// A training frontier is an estimate with its interval. A divergence frontier is what was seen: the
// last value below which every seed passes, the first that fails, and their geometric mean.
struct FrontierValue {
  std::optional<double> value;      // the bound itself where censored
  std::optional<double> low, high;  // open ends are absent
  std::string censored;             // "right", "left" or empty
  bool ill_determined = false;      // standard error above a factor 1.5
};

struct ArmTrial {
  std::string id;
  double rate = 0;
  int64_t seed = 0;
  double loss = 0;      // validation, the initial loss where diverged or stopped
  std::string verdict;  // name_of(RunVerdict), under the stated labelling
  std::string reason;
  std::optional<int64_t> step;  // where the verdict became irrevocable
  bool stopped_early = false;
};

struct ArmRate {
  double rate = 0;
  int64_t seeds = 0;
  double mean_loss = 0;
  double share_diverged = 0, share_not_training = 0;
};

// A run that trained and one that did not, for the growth of norms: series by name.
struct GrowthRun {
  std::string id;
  double rate = 0;
  int64_t seed = 0;
  std::string verdict;
  std::map<std::string, TrialSeries> series;  // "attn_logit_max", "out_norm/qkv", ... over layers
};

struct ArmResult {
  std::string name;
  std::vector<std::string> sets;    // "key=value" over the base config
  std::optional<double> best_lr;    // of the mean over seeds, on the common grid
  std::optional<double> best_loss;  // at it, scored on seeds that did not choose it
  FrontierValue training_frontier, divergence_frontier;
  std::optional<double> headroom;  // training frontier / best rate
  int64_t seeds = 0;
  std::optional<double> update_ratio;  // RMS of update / RMS of weight after warm-up, at the
                                       // highest rate at or below the training frontier
  std::optional<double> step_seconds, peak_bytes;  // medians over trials
  std::optional<double> sensitivity;               // to the rate, mean over seeds
  std::optional<double> logit_rms, branch_rms;     // at initialisation
  std::optional<double> published;                 // a value that the file gives, its unit too
  std::optional<double> early_stop_saving;         // share of its steps
  // Trials stopped within a factor 1.5 of the frontier that were run to their end as well, and how
  // many of them were lost by then.
  int64_t early_stops_checked = 0, early_stops_right = 0;
  std::vector<ArmRate> rates;
  std::vector<ArmTrial> trials;
  std::optional<GrowthRun> healthy, failing;
};

struct ContrastResult {
  std::string name;     // "QK_norm > baseline"
  std::string measure;  // "training_frontier", "divergence_frontier", "best_loss", "common_loss"
  bool asked = false;   // for this measure by the file; the others are there to look at
  std::optional<double> at;                   // the common value of "common_loss"
  std::optional<double> estimate, low, high;  // a ratio for frontiers, nats for losses
  std::optional<double> p, holm_p;
  std::string verdict;       // "differs", "tie", "not resolved"
  std::string claim;         // "reproduced", "contradicted", "not resolved"; empty without a claim
  bool order_holds = false;  // under all three margins
  std::optional<double> smallest_p;
  std::optional<int64_t> seeds_to_resolve;  // a difference of one grid ratio
};

// Frontier against a scalar of the config, one point for each of its values.
struct AxisPoint {
  std::string arm;
  double at = 0;
  FrontierValue training_frontier, divergence_frontier;
};
struct AxisTrend {
  std::string arm, measure;
  double exponent = 0;  // frontier ~ at^exponent
  std::optional<double> low, high;
  double most = 0;                    // not printed beyond
  std::optional<double> coefficient;  // frontier = coefficient * at^exponent; no line without it
};

struct FrontierResult {
  std::string title, key;  // "optim.lr"
  bool above = true;       // large values fail
  double ratio = 1.5, level = 0.95;
  VerdictConfig rule;
  std::optional<double> unigram_entropy, bigram_entropy;        // of the training split, nats
  std::vector<std::pair<std::string, std::string>> conditions;  // "steps" -> "600", ...
  std::vector<ArmResult> arms;
  std::vector<ContrastResult> contrasts;
  // Order of the arms by training frontier under each labelling: best first.
  std::vector<std::vector<std::string>> rankings;
  std::string axis;  // empty: none
  std::vector<std::string> held_fixed;
  std::vector<AxisPoint> axis_points;
  std::vector<AxisTrend> axis_trends;
  // Early stop against full runs, within a factor 1.5 of the frontier: agreement and saving.
  std::optional<double> early_stop_agreement, early_stop_saving;
  std::string regime;                 // empty, or why this is "not a test of the claim"
  std::string published_label;        // "diverges above, arXiv 2410.16682"
  std::vector<std::string> notes;     // caveats, one sentence each
  std::vector<std::string> commands;  // that made it
  std::vector<std::pair<std::string, std::string>> versions;
  int64_t trials = 0, failed = 0;
  double seconds = 0;  // of training, all workers together
};

// As --json prints it: the keys of the issue first, all others after them.
Json to_json(const FrontierResult& result);

}  // namespace keel
