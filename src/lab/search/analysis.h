// From the trials of a search to its result: labels, frontiers, intervals, contrasts and claims.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lab/search/result.h"
#include "lab/search/search.h"
#include "lab/search/spec.h"

namespace keel {

// What is known of an arm beside its trials.
struct ArmFacts {
  std::vector<std::string> sets;
  // What a rate means in it, "adamw, gpt2": rates are compared between arms of the same text.
  std::string scale;
};

struct SearchReport {
  FrontierSpec spec;
  std::vector<ArmFacts> arms;
  std::vector<Searched> tables;  // one, or one for each value of the axis
  std::optional<double> bigram_entropy;
  std::vector<std::string> held_fixed;
  std::vector<std::pair<std::string, std::string>> conditions, versions;
  std::vector<std::string> commands, notes;  // notes: what was decided for the file
};

// DataError as find_frontiers, naming arms by their number.
FrontierResult analyse(const SearchReport& report);

// The parts of it, for one table.

// Everything that contrasts need of one labelling. Arms without a result are left out: `arms` says
// which of the file's stand at each place.
struct LabelledArms {
  std::vector<size_t> arms;
  std::vector<ArmOutcomes> all, common;  // with and without the trials that refine
  std::optional<Frontiers> frontiers;    // none where the rule cannot be applied
  std::string problem;                   // why not

  // The place of an arm of the file.
  std::optional<size_t> place(size_t arm) const;
};
LabelledArms label_arms(const SearchReport& report, const Searched& searched, Labelling labelling);

// Of the key, from the logarithm that stands for it; a value that was run is that very value again.
double value_of_log(double log_value, double direction);
// A training frontier, from the model's estimate and the crossing of the mean over seeds.
FrontierValue training_value(const Estimate& estimate, const Observation& of_mean,
                             double direction);
// A divergence frontier, from the bounds of all seeds together.
FrontierValue divergence_value(const Observation& of_all, double direction);

// One for each contrast and measure, measure by measure: a family of its own each.
std::vector<ContrastResult> judge_all_contrasts(const SearchReport& report,
                                                const std::vector<LabelledArms>& by_labelling);

// Series over layers of a run, by name: the largest of "attn_logit_max", the means of
// "out_norm/...".
GrowthRun growth_of(const SearchedTrial& trial, const std::string& verdict);

// Frontiers against the axis and their power laws; nothing without an axis.
void add_axis(const SearchReport& report, FrontierResult& result);

}  // namespace keel
