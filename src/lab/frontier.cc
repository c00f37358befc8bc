#include "lab/frontier.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "core/error.h"

namespace keel {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

template <class T>
size_t index_in(const std::vector<T>& sorted, T value) {
  return std::lower_bound(sorted.begin(), sorted.end(), value) - sorted.begin();
}

// A loss along the grid: one seed's, or the mean's. Rates without a trial are left out.
struct LossCurve {
  std::vector<double> log_rates, losses;
};

LossCurve curve_of_seed(const ArmOutcomes& o, size_t seed) {
  LossCurve curve;
  curve.log_rates.reserve(o.log_rates().size());
  curve.losses.reserve(o.log_rates().size());
  for (size_t r = 0; r < o.log_rates().size(); ++r) {
    if (!o.loss(r, seed)) continue;
    curve.log_rates.push_back(o.log_rates()[r]);
    curve.losses.push_back(*o.loss(r, seed));
  }
  return curve;
}

LossCurve curve_of_mean(const ArmOutcomes& o) {
  LossCurve curve{o.log_rates(), {}};
  curve.losses.reserve(curve.log_rates.size());
  for (size_t r = 0; r < curve.log_rates.size(); ++r) curve.losses.push_back(o.mean_loss(r));
  return curve;
}

Observation first_crossing(const LossCurve& curve, double from, double bound) {
  Observation crossing;
  double last = -kInfinity, last_loss = 0;
  for (size_t i = 0; i < curve.losses.size(); ++i) {
    const double rate = curve.log_rates[i], loss = curve.losses[i];
    if (rate < from) continue;
    if (loss > bound) {
      crossing.low = crossing.high = rate;
      if (std::isinf(last)) {
        crossing.low = last;
      } else {
        const double share = (bound - last_loss) / (loss - last_loss);
        crossing.low = crossing.high = last + share * (rate - last);
      }
      return crossing;
    }
    last = rate;
    last_loss = loss;
  }
  crossing.low = last;
  crossing.high = kInfinity;
  return crossing;
}

}  // namespace

ArmOutcomes::ArmOutcomes(std::span<const Outcome> outcomes, const LossScale& scale,
                         const VerdictConfig& config, Labelling labelling)
    : scale_(scale) {
  if (std::all_of(outcomes.begin(), outcomes.end(), [](const Outcome& o) { return o.refining; })) {
    throw DataError("frontier: an arm has no outcome");
  }
  if (!std::isfinite(scale.initial_loss) || !(scale.unigram_entropy > 0) ||
      !std::isfinite(scale.unigram_entropy)) {
    throw DataError(
        fmt::format("frontier: unigram entropy {} and initial loss {} must be finite, "
                    "the first above 0",
                    scale.unigram_entropy, scale.initial_loss));
  }
  std::set<double> rates, refining;
  std::set<int64_t> seeds;
  for (const Outcome& o : outcomes) {
    if (!std::isfinite(o.log_rate)) {
      throw DataError(fmt::format("frontier: seed {} has the log rate {}", o.seed, o.log_rate));
    }
    rates.insert(o.log_rate);
    if (o.refining) refining.insert(o.log_rate);
    seeds.insert(o.seed);
  }
  log_rates_.assign(rates.begin(), rates.end());
  seeds_.assign(seeds.begin(), seeds.end());
  cells_.resize(log_rates_.size() * seeds_.size());
  for (const Outcome& o : outcomes) {
    Cell& cell =
        cells_[index_in(log_rates_, o.log_rate) * seeds_.size() + index_in(seeds_, o.seed)];
    const auto where = [&] {
      return fmt::format("frontier: rate {:.6g}, seed {}", std::exp(o.log_rate), o.seed);
    };
    if (cell.loss) throw DataError(where() + " is there twice");
    cell.diverged = o.diverged[static_cast<size_t>(labelling)];
    if (!cell.diverged && !std::isfinite(o.loss)) {
      throw DataError(where() + fmt::format(" did not diverge, but its loss is {}", o.loss));
    }
    cell.loss = cell.diverged ? scale.initial_loss : o.loss;
  }
  best_loss_ = kInfinity;
  for (size_t r = 0; r < log_rates_.size(); ++r) {
    if (mean_loss(r) >= best_loss_ || refining.contains(log_rates_[r])) continue;
    best_loss_ = mean_loss(r);
    best_rate_ = r;
  }
  bound_ = training_bound(best_loss_, scale.unigram_entropy, config.labelled(labelling).margin);
}

double ArmOutcomes::mean_loss(size_t rate) const {
  double sum = 0, count = 0;
  for (size_t s = 0; s < seeds_.size(); ++s) {
    if (!loss(rate, s)) continue;
    sum += *loss(rate, s);
    ++count;
  }
  return sum / count;
}

std::vector<RateSummary> ArmOutcomes::summary() const {
  std::vector<RateSummary> out;
  out.reserve(log_rates_.size());
  for (size_t r = 0; r < log_rates_.size(); ++r) {
    RateSummary summary{log_rates_[r], 0, mean_loss(r), 0, 0};
    for (size_t s = 0; s < seeds_.size(); ++s) {
      if (!loss(r, s)) continue;
      ++summary.seeds;
      summary.share_diverged += diverged(r, s) ? 1 : 0;
      summary.share_not_training += !diverged(r, s) && *loss(r, s) > bound_ ? 1 : 0;
    }
    summary.share_diverged /= static_cast<double>(summary.seeds);
    summary.share_not_training /= static_cast<double>(summary.seeds);
    out.push_back(summary);
  }
  return out;
}

bool ArmOutcomes::fails_somewhere() const {
  const std::vector<RateSummary> rates = summary();
  return std::any_of(
      rates.begin() + static_cast<std::ptrdiff_t>(best_rate_), rates.end(),
      [](const RateSummary& r) { return r.share_diverged + r.share_not_training > 0; });
}

bool ArmOutcomes::trains_somewhere() const {
  if (best_loss_ >= scale_.unigram_entropy || bound_ >= scale_.initial_loss) return false;
  return std::any_of(cells_.begin(), cells_.end(),
                     [](const Cell& c) { return c.loss && !c.diverged; });
}

std::vector<Observation> training_crossings(const ArmOutcomes& outcomes, size_t arm) {
  std::vector<Observation> crossings;
  crossings.reserve(outcomes.seeds().size());
  if (!outcomes.trains_somewhere()) {
    for (const int64_t seed : outcomes.seeds()) {
      crossings.push_back({arm, seed, -kInfinity, outcomes.log_rates().front()});
    }
    return crossings;
  }
  const double best = outcomes.log_rates()[outcomes.best_rate()];
  for (size_t s = 0; s < outcomes.seeds().size(); ++s) {
    Observation o = first_crossing(curve_of_seed(outcomes, s), best, outcomes.bound());
    if (std::isinf(o.low) && std::isinf(o.high)) continue;  // no trial from the best rate on
    o.arm = arm;
    o.seed = outcomes.seeds()[s];
    crossings.push_back(o);
  }
  return crossings;
}

Observation mean_training_crossing(const ArmOutcomes& outcomes, size_t arm) {
  if (!outcomes.trains_somewhere()) return {arm, -1, -kInfinity, outcomes.log_rates().front()};
  const double best = outcomes.log_rates()[outcomes.best_rate()];
  Observation o = first_crossing(curve_of_mean(outcomes), best, outcomes.bound());
  o.arm = arm;
  o.seed = -1;
  return o;
}

std::vector<Observation> divergence_bounds(const ArmOutcomes& outcomes, size_t arm) {
  std::vector<Observation> bounds;
  bounds.reserve(outcomes.seeds().size());
  for (size_t s = 0; s < outcomes.seeds().size(); ++s) {
    Observation o{arm, outcomes.seeds()[s], -kInfinity, kInfinity};
    for (size_t r = 0; r < outcomes.log_rates().size() && std::isinf(o.high); ++r) {
      if (!outcomes.loss(r, s)) continue;
      const bool lost = outcomes.diverged(r, s);
      if (lost && r < outcomes.best_rate()) continue;
      (lost ? o.high : o.low) = outcomes.log_rates()[r];
    }
    bounds.push_back(o);
  }
  return bounds;
}

Observation common_divergence_bounds(const ArmOutcomes& outcomes, size_t arm) {
  Observation o{arm, -1, -kInfinity, kInfinity};
  const std::vector<RateSummary> rates = outcomes.summary();
  for (size_t r = 0; r < rates.size() && std::isinf(o.high); ++r) {
    const bool lost = rates[r].share_diverged > 0;
    if (lost && r < outcomes.best_rate()) continue;
    (lost ? o.high : o.low) = rates[r].log_rate;
  }
  return o;
}

std::vector<double> refining_rates(const ArmOutcomes& outcomes) {
  std::vector<Observation> crossings = training_crossings(outcomes, 0);
  if (crossings.empty()) return {};
  // Bounds to the left sort below and bounds to the right above what is exact.
  std::sort(crossings.begin(), crossings.end(), [](const Observation& a, const Observation& b) {
    return a.low + a.high < b.low + b.high;
  });
  const Observation& median = crossings[(crossings.size() - 1) / 2];
  if (!median.exact()) return {};
  const std::vector<double>& rates = outcomes.log_rates();
  const auto above = std::upper_bound(rates.begin(), rates.end(), median.low);
  const auto inner = above == rates.end() ? above - 1 : above;
  const double quarter = (*inner - *(inner - 1)) / 4;
  return {median.low - quarter, median.low + quarter};
}

double ArmFrontier::headroom() const { return std::exp(training.value - best_log_rate); }

Frontiers find_frontiers(std::span<const ArmOutcomes> arms, double level) {
  Frontiers all;
  std::vector<Observation> training, divergence;
  for (size_t a = 0; a < arms.size(); ++a) {
    ArmFrontier one;
    one.best_log_rate = arms[a].log_rates()[arms[a].best_rate()];
    one.best_loss = arms[a].best_loss();
    one.training_by_seed = training_crossings(arms[a], a);
    one.divergence_by_seed = divergence_bounds(arms[a], a);
    one.training_of_mean = mean_training_crossing(arms[a], a);
    one.divergence_of_all = common_divergence_bounds(arms[a], a);
    training.insert(training.end(), one.training_by_seed.begin(), one.training_by_seed.end());
    divergence.insert(divergence.end(), one.divergence_by_seed.begin(),
                      one.divergence_by_seed.end());
    all.arms.push_back(std::move(one));
  }
  all.training = fit_arms(training);
  all.divergence = fit_arms(divergence);
  for (size_t a = 0; a < arms.size(); ++a) {
    all.arms[a].training = all.training->arm(a, level);
    all.arms[a].divergence = all.divergence->arm(a, level);
  }
  return all;
}

bool ill_determined(const Estimate& frontier) {
  return frontier.censored == Censored::kNone &&
         !(frontier.standard_error <= std::log(kIllDeterminedFactor));
}

namespace {

// The best rate by the mean of the seeds that `choosing` names.
std::optional<size_t> best_rate_of(const ArmOutcomes& o, const std::vector<bool>& choosing) {
  std::optional<size_t> best;
  double best_loss = kInfinity;
  for (size_t r = 0; r < o.log_rates().size(); ++r) {
    double sum = 0, count = 0;
    for (size_t s = 0; s < choosing.size(); ++s) {
      if (!choosing[s] || !o.loss(r, s)) continue;
      sum += *o.loss(r, s);
      ++count;
    }
    if (count == 0 || sum / count >= best_loss) continue;
    best_loss = sum / count;
    best = r;
  }
  return best;
}

}  // namespace

std::optional<BestRateScore> score_best_rate(const ArmOutcomes& outcomes) {
  const size_t seeds = outcomes.seeds().size();
  if (seeds < 2) return std::nullopt;
  const size_t folds = seeds < 4 ? seeds : 2;
  BestRateScore score;
  score.loss_by_seed.resize(seeds);
  score.log_rate_by_seed.resize(seeds);
  for (size_t fold = 0; fold < folds; ++fold) {
    std::vector<bool> choosing(seeds);
    for (size_t s = 0; s < seeds; ++s) choosing[s] = s % folds != fold;
    const std::optional<size_t> rate = best_rate_of(outcomes, choosing);
    for (size_t s = fold; s < seeds; s += folds) {
      if (!rate || !outcomes.loss(*rate, s)) return std::nullopt;
      score.loss_by_seed[s] = *outcomes.loss(*rate, s);
      score.log_rate_by_seed[s] = outcomes.log_rates()[*rate];
      score.mean_loss += score.loss_by_seed[s] / static_cast<double>(seeds);
    }
  }
  return score;
}

std::vector<double> lr_sensitivity(const ArmOutcomes& outcomes, double low, double high) {
  std::vector<double> out;
  out.reserve(outcomes.seeds().size());
  for (size_t s = 0; s < outcomes.seeds().size(); ++s) {
    double sum = 0, lowest = kInfinity, count = 0;
    for (size_t r = 0; r < outcomes.log_rates().size(); ++r) {
      const double rate = outcomes.log_rates()[r];
      if (rate < low - 1e-9 || rate > high + 1e-9) continue;
      if (!outcomes.loss(r, s)) {
        throw DataError(
            fmt::format("learning-rate sensitivity: seed {} has no trial at rate {:.6g}",
                        outcomes.seeds()[s], std::exp(rate)));
      }
      const double loss = std::min(*outcomes.loss(r, s), outcomes.scale().initial_loss);
      sum += loss;
      lowest = std::min(lowest, loss);
      ++count;
    }
    if (count == 0) {
      throw DataError(fmt::format("learning-rate sensitivity: no rate lies in [{:.6g}, {:.6g}]",
                                  std::exp(low), std::exp(high)));
    }
    out.push_back(sum / count - lowest);
  }
  return out;
}

}  // namespace keel
