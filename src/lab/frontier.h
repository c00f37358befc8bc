// The frontiers of one arm from its table of outcomes, and of several arms with intervals. Keys are
// logarithms of the rate (or of any other scalar whose large values fail; where small values fail
// the caller passes minus the logarithm). docs/statistics.md has the definitions.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "lab/stats/arm_model.h"
#include "lab/verdict.h"

namespace keel {

// One trial.
struct Outcome {
  double log_rate = 0;
  int64_t seed = 0;
  double loss = 0;                           // final validation loss; not looked at where diverged
  std::array<bool, kLabellings> diverged{};  // judge_run's verdict under each labelling
  // At a rate that this arm does not share with the others: never its best rate.
  bool refining = false;
};

// What all outcomes of an arm share, in nats.
struct LossScale {
  double unigram_entropy = 0;  // H1
  double initial_loss = 0;     // before training; the loss of every run that diverged
};

struct RateSummary {
  double log_rate = 0;
  size_t seeds = 0;
  double mean_loss = 0;
  double share_diverged = 0, share_not_training = 0;  // of its seeds; disjoint
};

// The outcomes of an arm on its grid, under one labelling.
class ArmOutcomes {
 public:
  // DataError: no outcome on the common grid, a rate, seed twice, a loss that is not finite where
  // the run did not diverge, a rate or a scale that is not finite.
  ArmOutcomes(std::span<const Outcome> outcomes, const LossScale& scale,
              const VerdictConfig& config, Labelling labelling);

  const std::vector<double>& log_rates() const { return log_rates_; }  // ascending
  const std::vector<int64_t>& seeds() const { return seeds_; }         // ascending
  // Of the labelled outcome, the initial loss where diverged; none where there is no trial.
  std::optional<double> loss(size_t rate, size_t seed) const { return cell(rate, seed).loss; }
  bool diverged(size_t rate, size_t seed) const { return cell(rate, seed).diverged; }
  double mean_loss(size_t rate) const;

  size_t best_rate() const { return best_rate_; }  // of the common grid: lowest mean over seeds
  double best_loss() const { return best_loss_; }  // that mean: L*
  double bound() const { return bound_; }          // above it a run does not train
  const LossScale& scale() const { return scale_; }
  std::vector<RateSummary> summary() const;
  // The grid needs no further rate on that side.
  bool best_is_inside() const { return best_rate_ > 0 && best_rate_ + 1 < log_rates_.size(); }
  bool fails_somewhere() const;
  // False where every trial diverged, or the best rate's mean is not below the unigram entropy or
  // its bound not below the initial loss: the arm has learnt nothing, and all that is known is that
  // its frontier is below the grid.
  bool trains_somewhere() const;

 private:
  struct Cell {
    std::optional<double> loss;
    bool diverged = false;
  };
  const Cell& cell(size_t rate, size_t seed) const { return cells_[rate * seeds_.size() + seed]; }

  LossScale scale_;
  std::vector<double> log_rates_;
  std::vector<int64_t> seeds_;
  std::vector<Cell> cells_;
  size_t best_rate_ = 0;
  double best_loss_ = 0, bound_ = 0;
};

// Training frontier, per seed: the first crossing of the bound above the best rate, interpolated in
// log rate; beyond the last rate where there is none, below the best rate where that one fails;
// below the first rate where all diverged.
// Divergence frontier, per seed: (the last rate that passed before it, the first from the best rate
// upwards that diverged].
std::vector<Observation> training_crossings(const ArmOutcomes& outcomes, size_t arm);
std::vector<Observation> divergence_bounds(const ArmOutcomes& outcomes, size_t arm);
// The same of the mean over seeds, and of all seeds together (any that diverges); seed -1.
Observation mean_training_crossing(const ArmOutcomes& outcomes, size_t arm);
Observation common_divergence_bounds(const ArmOutcomes& outcomes, size_t arm);

// A quarter of its grid cell to both sides of the median exact crossing: the rates by which a
// training frontier is refined. Empty where the median is censored.
std::vector<double> refining_rates(const ArmOutcomes& outcomes);

// One arm's frontiers in log rate. Estimates come from the two-way model of all arms.
struct ArmFrontier {
  double best_log_rate = 0, best_loss = 0;
  Estimate training, divergence;
  std::vector<Observation> training_by_seed, divergence_by_seed;
  Observation training_of_mean, divergence_of_all;

  // exp(log frontier - log best rate); the bound of it where the frontier is censored.
  double headroom() const;
};

struct Frontiers {
  std::vector<ArmFrontier> arms;
  std::unique_ptr<ArmModel> training, divergence;  // for contrasts
};

// Arms under one labelling. DataError as fit_arms.
Frontiers find_frontiers(std::span<const ArmOutcomes> arms, double level = 0.95);

// A crossing whose standard error exceeds this factor is printed as ill-determined.
constexpr double kIllDeterminedFactor = 1.5;
// Not of a frontier that is censored as a whole: that one is a bound.
bool ill_determined(const Estimate& frontier);

// The best rate chosen on some seeds and scored on others, so that the choice does not flatter the
// score: on one half for the other, both ways, from 4 seeds on; else on all but one in turn.
struct BestRateScore {
  std::vector<double> loss_by_seed;      // in the order of seeds()
  std::vector<double> log_rate_by_seed;  // chosen without that seed
  double mean_loss = 0;
};
// None with a single seed, or where a seed has no trial at the rate chosen for it.
std::optional<BestRateScore> score_best_rate(const ArmOutcomes& outcomes);

// Learning-rate sensitivity of each seed (Wortsman et al., arXiv 2309.14322, section 2): the mean
// over the rates in [low, high] of min(loss, initial loss), minus the lowest loss there. The range
// must be one for all arms. DataError where it holds no rate or a seed lacks one.
std::vector<double> lr_sensitivity(const ArmOutcomes& outcomes, double low, double high);

}  // namespace keel
