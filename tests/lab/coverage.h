// Simulated tables of outcomes whose frontiers are known, and how often the intervals that
// find_frontiers gives cover them. Arm a's training frontier with seed s is
//   y = kFirst + kApart * a + block_s + residual_as
// on a grid of ratio 1.5 whose place is drawn anew for each table; a run diverges kDivergesLater
// beyond it. The loss is flat up to one cell below y and linear through the bound, so that the
// interpolated crossing is y itself.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "data/draws.h"
#include "lab/frontier.h"
#include "lab/stats/distributions.h"

namespace keel::test {

constexpr double kFirst = 4, kApart = 0.5, kDivergesLater = 0.5;
constexpr LossScale kSimulatedScale{3.0, 4.0};
// Caps of the grid, above the last arm's training frontier, that censor about a third of its seeds.
constexpr double kTrainingCap = 0.4, kDivergenceCap = kTrainingCap + kDivergesLater;

struct Study {
  size_t arms = 1;
  int64_t seeds = 3;
  double seed_sd = 0.4, residual_sd = 0.4;
  double cap = INFINITY;  // no rate above the last arm's training frontier + cap
  int64_t tables = 1000;
};

inline double normal_of(Draws& draws) { return normal_quantile(draws.uniform() + 0x1p-54); }

inline std::vector<ArmOutcomes> simulate(const Study& study, uint64_t table) {
  Draws draws(1, "coverage", table);
  const double cell = std::log(1.5), place = draws.uniform() * cell;
  std::vector<double> blocks;
  for (int64_t s = 0; s < study.seeds; ++s) blocks.push_back(study.seed_sd * normal_of(draws));
  const double last_mean = kFirst + kApart * static_cast<double>(study.arms - 1);
  std::vector<ArmOutcomes> arms;
  for (size_t a = 0; a < study.arms; ++a) {
    std::vector<double> y;
    for (int64_t s = 0; s < study.seeds; ++s) {
      y.push_back(kFirst + kApart * static_cast<double>(a) + blocks[s] +
                  study.residual_sd * normal_of(draws));
    }
    // Some rates beyond the last failure, unless the cap comes first.
    const double beyond = *std::max_element(y.begin(), y.end()) + kDivergesLater + 2 * cell;
    const double top = std::min(beyond, last_mean + study.cap);
    std::vector<Outcome> outcomes;
    for (double rate = place - 2 * cell; rate <= top; rate += cell) {
      for (int64_t s = 0; s < study.seeds; ++s) {
        const double rise = std::max(0.0, 1 + 1.5 * (rate - y[s])), left = std::max(0.0, -rate);
        Outcome o{rate, s, 2 + 0.2 * rise + 0.3 * left, {}};
        o.diverged.fill(rate > y[s] + kDivergesLater);
        outcomes.push_back(o);
      }
    }
    arms.emplace_back(outcomes, kSimulatedScale, VerdictConfig{}, Labelling::kStated);
  }
  return arms;
}

struct Coverage {
  double covered = 0, intervals = 0, censored = 0, width = 0, finite = 0;

  void add(const Estimate& e, double truth) {
    if (!e.interval) return;
    ++intervals;
    covered += e.interval->contains(truth) ? 1 : 0;
    if (!std::isfinite(e.standard_error)) return;
    ++finite;
    width += e.interval->high - e.interval->low;
  }
  double share() const { return covered / intervals; }
};

struct Coverages {
  Coverage training, divergence, difference;  // of the last arm; last arm - first arm, training
};

// Which of them to look at: divergence frontiers of several arms take long.
inline Coverages measure(const Study& study, bool divergence, bool difference) {
  Coverages all;
  const double truth = kFirst + kApart * static_cast<double>(study.arms - 1);
  for (int64_t t = 0; t < study.tables; ++t) {
    const std::vector<ArmOutcomes> arms = simulate(study, static_cast<uint64_t>(t));
    std::vector<Observation> training, diverging;
    for (size_t a = 0; a < arms.size(); ++a) {
      for (const Observation& o : training_crossings(arms[a], a)) training.push_back(o);
      for (const Observation& o : divergence_bounds(arms[a], a)) diverging.push_back(o);
    }
    const auto model = fit_arms(training);
    all.training.add(model->arm(study.arms - 1), truth);
    for (const Observation& o : training) all.training.censored += o.exact() ? 0 : 1;
    if (difference) {
      std::vector<double> weights(study.arms);
      weights.front() = -1;
      weights.back() = 1;
      all.difference.add(model->estimate(weights), kApart * static_cast<double>(study.arms - 1));
    }
    if (!divergence) continue;
    all.divergence.add(fit_arms(diverging)->arm(study.arms - 1), truth + kDivergesLater);
    for (const Observation& o : diverging) all.divergence.censored += std::isinf(o.high) ? 1 : 0;
  }
  const double cells =
      static_cast<double>(study.tables * study.seeds) * static_cast<double>(study.arms);
  all.training.censored /= cells;
  all.divergence.censored /= cells;
  return all;
}

}  // namespace keel::test
