// Comparisons named beforehand and what came of them: differs, tie or not resolved, with Holm's
// procedure over the comparisons of one family.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lab/stats/arm_model.h"

namespace keel {

struct Contrast {
  std::string name;             // "QK_norm > baseline"
  std::vector<double> weights;  // one for each arm, summing to 0
};

enum class Resolution {
  kDiffers,     // the interval excludes 0
  kTie,         // it does not, and lies inside the margin
  kNotResolved  // neither: not the same as a tie
};
// "differs", "tie", "not resolved".
const char* name_of(Resolution resolution);

struct JudgedContrast {
  std::string name;
  Estimate estimate;  // its interval holds for this contrast by itself
  double holm_p = 1;
  // At the level that Holm's procedure gives this contrast: it excludes 0 exactly when holm_p is
  // below 1 - level of the family. None where the estimate has none.
  std::optional<Interval> holm_interval;
  Resolution resolution = Resolution::kNotResolved;  // by holm_interval
  bool inside_margin = false;  // also of a contrast that differs: real, but smaller than the margin
};

// Adjusted p values in the order given (Holm, Scandinavian Journal of Statistics 6, 1979).
std::vector<double> holm_adjusted(std::span<const double> p);

// Judges all contrasts of a family. margin > 0 in the units of the model; level in (0, 1).
// DataError for weights that do not sum to 0, another margin, and as ArmModel::estimate.
std::vector<JudgedContrast> judge_contrasts(const ArmModel& model,
                                            std::span<const Contrast> contrasts, double margin,
                                            double level = 0.95);

// The same where the contrasts of a family come from models of their own, as losses at rates that
// only two arms share.
struct ContrastOf {
  const ArmModel* model;
  Contrast contrast;
};
std::vector<JudgedContrast> judge_contrasts(std::span<const ContrastOf> contrasts, double margin,
                                            double level = 0.95);

// Whether an order may be claimed: the contrast differs in the same direction under every labelling
// (one judged contrast each, the same contrast for the margins of VerdictConfig in turn).
bool order_holds(std::span<const JudgedContrast> by_labelling);

}  // namespace keel
