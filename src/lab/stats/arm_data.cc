#include "lab/stats/arm_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "core/error.h"
#include "lab/stats/censored.h"
#include "lab/stats/two_way.h"

namespace keel {
namespace {

void check_bounds(const Observation& o) {
  const bool inner_infinite = o.low == INFINITY || o.high == -INFINITY;
  const bool unknown = std::isinf(o.low) && std::isinf(o.high);
  if (o.low <= o.high && !inner_infinite && !unknown) return;
  throw DataError(
      fmt::format("two-way model: arm {}, seed {}: the value lies in ({}, {}], which "
                  "says nothing or cannot be",
                  o.arm, o.seed, o.low, o.high));
}

// Seeds join arms that have values for them; all arms must hang together.
void check_connected(const ArmData& data) {
  std::vector<bool> arm(data.arms), seed(data.seeds);
  arm[0] = true;
  for (bool grew = true; grew;) {
    grew = false;
    for (const ArmData::Cell& c : data.cells) {
      if (arm[c.arm] == seed[c.seed]) continue;
      arm[c.arm] = seed[c.seed] = grew = true;
    }
  }
  const auto apart = std::find(arm.begin(), arm.end(), false);
  if (apart == arm.end()) return;
  throw DataError(
      fmt::format("two-way model: arms 0 and {} have no seed in common, not even "
                  "through other arms",
                  apart - arm.begin()));
}

}  // namespace

ArmData check_observations(std::span<const Observation> observations) {
  if (observations.empty()) throw DataError("two-way model: there is no observation");
  std::map<int64_t, size_t> seeds;
  std::set<std::pair<size_t, int64_t>> seen;
  std::set<size_t> arms;
  for (const Observation& o : observations) {
    check_bounds(o);
    seeds.emplace(o.seed, 0);
    arms.insert(o.arm);
    if (!seen.emplace(o.arm, o.seed).second) {
      throw DataError(fmt::format("two-way model: arm {}, seed {} is there twice", o.arm, o.seed));
    }
  }
  ArmData data;
  for (const size_t arm : arms) {
    if (arm != data.arms++) {
      throw DataError(fmt::format("two-way model: arm {} has no observation", data.arms - 1));
    }
  }
  for (auto& [id, number] : seeds) number = data.seeds++;
  data.cells.reserve(observations.size());
  for (const Observation& o : observations) {
    data.cells.push_back({o.arm, seeds.at(o.seed), o.low, o.high});
  }
  check_connected(data);
  return data;
}

void check_weights(std::span<const double> weights, size_t arms, double level) {
  if (weights.size() != arms) {
    throw DataError(fmt::format("contrast: {} weights for {} arms", weights.size(), arms));
  }
  const auto finite = [](double w) { return std::isfinite(w); };
  const auto zero = [](double w) { return w == 0; };
  if (!std::all_of(weights.begin(), weights.end(), finite) ||
      std::all_of(weights.begin(), weights.end(), zero)) {
    throw DataError("contrast: the weights must be finite and not all 0");
  }
  if (!(level > 0 && level < 1)) {
    throw DataError(fmt::format("interval: the level is {}, it must lie between 0 and 1", level));
  }
}

bool is_difference(std::span<const double> weights) {
  double sum = 0, size = 0;
  for (const double w : weights) {
    sum += w;
    size += std::abs(w);
  }
  return std::abs(sum) <= 1e-9 * size;
}

double satterthwaite_df(std::span<const MeanSquare> parts) {
  double sum = 0, squares = 0, all = 0;
  for (const auto& [weight, value, df] : parts) {
    if (weight == 0) continue;
    sum += weight * value;
    squares += weight * weight * value * value / df;
    all += df;
  }
  return squares > 0 ? sum * sum / squares : all;
}

Estimate ArmModel::arm(size_t a, double level) const {
  std::vector<double> weights(arms());
  weights.at(a) = 1;
  return estimate(weights, level);
}

std::unique_ptr<ArmModel> fit_arms(std::span<const Observation> observations) {
  ArmData data = check_observations(observations);
  const auto exact = [](const ArmData::Cell& c) { return c.exact(); };
  if (std::all_of(data.cells.begin(), data.cells.end(), exact)) {
    return std::make_unique<TwoWay>(std::move(data));
  }
  return std::make_unique<CensoredTwoWay>(std::move(data));
}

std::unique_ptr<ArmModel> fit_arms_by_likelihood(std::span<const Observation> observations) {
  return std::make_unique<CensoredTwoWay>(check_observations(observations));
}

}  // namespace keel
