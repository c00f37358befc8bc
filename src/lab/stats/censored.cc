#include "lab/stats/censored.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "lab/stats/censored_profile.h"
#include "lab/stats/distributions.h"

namespace keel {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Spreads below this part of the data's range count as none.
constexpr double kLeastSpread = 1e-4;
// An end of an interval further away than this many ranges of the data is at infinity.
constexpr double kFarthest = 100;
constexpr double kMostT = 1e8;

// 1 or -1 where all cells of the arm are censored to the right or all to the left: then the
// likelihood grows all the way there.
std::vector<int> unbounded_arms(const ArmData& data) {
  std::vector<int> right(data.arms, 1), left(data.arms, 1), out(data.arms);
  for (const ArmData::Cell& c : data.cells) {
    if (!std::isinf(c.high)) right[c.arm] = 0;
    if (!std::isinf(c.low)) left[c.arm] = 0;
  }
  for (size_t a = 0; a < data.arms; ++a) out[a] = right[a] - left[a];
  return out;
}

// The cells of some arms, which are numbered anew.
ArmData keep_arms(const ArmData& data, const std::vector<bool>& keep) {
  ArmData kept;
  kept.seeds = data.seeds;
  std::vector<size_t> number(data.arms);
  for (size_t a = 0; a < data.arms; ++a) {
    if (keep[a]) number[a] = kept.arms++;
  }
  kept.cells.reserve(data.cells.size());
  for (const ArmData::Cell& c : data.cells) {
    if (keep[c.arm]) kept.cells.push_back({number[c.arm], c.seed, c.low, c.high});
  }
  return kept;
}

double range_of(const ArmData& data) {
  double low = kInfinity, high = -kInfinity;
  for (const ArmData::Cell& c : data.cells) {
    for (const double x : {c.low, c.high}) {
      if (std::isinf(x)) continue;
      low = std::min(low, x);
      high = std::max(high, x);
    }
  }
  return high > low ? high - low : 1;
}

// Where the search starts: each cell at the middle of its interval or a little beyond its bound.
std::vector<double> first_guess(const ArmData& data, double range) {
  const auto value = [&](const ArmData::Cell& c) {
    if (std::isinf(c.high)) return c.low + 0.1 * range;
    return std::isinf(c.low) ? c.high - 0.1 * range : 0.5 * (c.low + c.high);
  };
  std::vector<double> start(data.arms), count(data.arms);
  for (const ArmData::Cell& c : data.cells) {
    start[c.arm] += value(c);
    ++count[c.arm];
  }
  for (size_t a = 0; a < data.arms; ++a) start[a] /= count[a];
  double square = 0;
  for (const ArmData::Cell& c : data.cells) {
    square += (value(c) - start[c.arm]) * (value(c) - start[c.arm]);
  }
  const double sd = std::sqrt(square / static_cast<double>(data.cells.size()));
  const bool blocks = data.arms > 1;
  const double log_sd = std::log(std::max(sd, 0.05 * range) / (blocks ? std::sqrt(2.0) : 1));
  start.resize(data.arms + (blocks ? 2 : 1), log_sd);
  return start;
}

// The place beyond `from` (step > 0: above) where the statistic, which is 0 at `from` and grows
// with the distance, reaches `wanted`, or infinity. Nearly a line, which regula falsi (the Illinois
// variant) follows in a few steps.
template <class F>
double reach(const F& statistic, double from, double step, double wanted, double farthest) {
  double near = from, near_excess = -wanted, far = from, far_excess = -wanted;
  while (far_excess < 0) {
    near = far;
    near_excess = far_excess;
    far += step;
    step *= 1.7;
    if (std::abs(far - from) > farthest) return std::copysign(kInfinity, step);
    far_excess = statistic(far) - wanted;
  }
  double x = far;
  for (int i = 0; i < 60 && std::abs(far - near) > 1e-10 * farthest; ++i) {
    x = (near * far_excess - far * near_excess) / (far_excess - near_excess);
    const double excess = statistic(x) - wanted;
    if (std::abs(excess) < 1e-6 * wanted) break;
    if (excess < 0) {
      near = x;
      near_excess = excess;
      far_excess *= 0.5;
    } else {
      far = x;
      far_excess = excess;
      near_excess *= 0.5;
    }
  }
  return x;
}

}  // namespace

CensoredTwoWay::CensoredTwoWay(ArmData data)
    : data_(std::move(data)),
      range_(range_of(data_)),
      floor_(kLeastSpread * range_),
      unbounded_(unbounded_arms(data_)) {
  std::vector<bool> bounded(data_.arms);
  for (size_t a = 0; a < data_.arms; ++a) {
    bounded[a] = unbounded_[a] == 0;
    bounded_arms_ += bounded[a] ? 1 : 0;
  }
  if (bounded_arms_ == 0) return;
  const ArmData kept = keep_arms(data_, bounded);
  bounded_cells_ = kept.cells.size();
  for (const ArmData::Cell& c : kept.cells) {
    informative_cells_ += std::isfinite(c.low) && std::isfinite(c.high) ? 1 : 0;
  }
  // Each mean takes one informative cell; the spread needs one more.
  if (informative_cells_ <= bounded_arms_) return;
  at_ = first_guess(kept, range_);
  log_likelihood_ = CensoredProfile(kept, floor_, restriction()).maximize(at_);
}

std::vector<double> CensoredTwoWay::parameters() const {
  if (at_.empty()) return {};
  std::vector<double> out(at_.begin(), at_.begin() + bounded_arms_);
  for (size_t i = 0; bounded_arms_ + i < at_.size(); ++i) out.push_back(std::log(spread(i)));
  return out;
}

// Of the residual (0) or of the seeds (1).
double CensoredTwoWay::spread(size_t i) const {
  return std::hypot(floor_, std::exp(at_[bounded_arms_ + i]));
}

double CensoredTwoWay::residual_df() const {
  if (bounded_arms_ == 0) return 0;
  const auto cells = static_cast<double>(bounded_cells_);
  const double all = cells - static_cast<double>(bounded_arms_ + data_.seeds) + 1;
  return std::max(all, 0.0);
}

double CensoredTwoWay::residual_sd() const {
  return at_.empty() || bounded_arms_ < 2 ? std::nan("") : spread(0);
}

double CensoredTwoWay::seed_sd() const {
  return at_.empty() ? std::nan("") : spread(bounded_arms_ > 1 ? 1 : 0);
}

// As TwoWay has it, with the fitted spreads in place of the mean squares and degrees of freedom in
// proportion to the share of cells that are not merely bounded on one side.
CensoredTwoWay::Precision CensoredTwoWay::precision_of(std::span<const double> weights) const {
  const auto seeds = static_cast<double>(data_.seeds);
  const auto cells = static_cast<double>(bounded_cells_);
  double total = 0, q = 0;
  for (const double w : weights) {
    total += w;
    q += w * w / seeds;
  }
  const double seed_df = seeds - 1;
  const double residual = spread(0) * spread(0);
  if (bounded_arms_ < 2) return {seed_df, std::sqrt(q * residual)};
  const double per_seed = (cells - static_cast<double>(bounded_arms_)) / (seeds - 1);
  const double of_seeds = std::min(q, total * total / (seeds * per_seed));
  const std::array<MeanSquare, 2> parts{
      {{of_seeds, residual + per_seed * spread(1) * spread(1), seed_df},
       {q - of_seeds, residual, std::max(residual_df(), 1.0)}}};
  const double variance = parts[0].weight * parts[0].value + parts[1].weight * parts[1].value;
  return {satterthwaite_df(parts), std::sqrt(variance)};
}

// The bound of an arm's cells that are censored to one side, 1 or -1, which all of them share; or
// that side's infinity.
double CensoredTwoWay::bound_of(size_t arm, int side) const {
  double bound = side * kInfinity;
  for (const ArmData::Cell& c : data_.cells) {
    if (c.arm != arm || !std::isinf(side > 0 ? c.high : c.low)) continue;
    bound = side > 0 ? std::min(bound, c.low) : std::max(bound, c.high);
  }
  return bound;
}

Restriction CensoredTwoWay::restriction() const {
  return {static_cast<double>(bounded_arms_),
          static_cast<double>(bounded_cells_) / static_cast<double>(data_.seeds)};
}

CensoredTwoWay::Pull CensoredTwoWay::pull_of(std::span<const double> weights) const {
  Pull pull;
  for (size_t a = 0; a < data_.arms; ++a) {
    pull.up |= weights[a] * unbounded_[a] > 0;
    pull.down |= weights[a] * unbounded_[a] < 0;
  }
  return pull;
}

// What is estimated: the likelihood of the arms that matter to it and a place from which to start.
struct CensoredTwoWay::Target {
  CensoredProfile profile;
  std::vector<double> weights, at;
  double value = 0;  // weights * the means of `at`
};

CensoredTwoWay::Target CensoredTwoWay::target_of(std::span<const double> weights) const {
  std::vector<bool> keep(data_.arms);
  for (size_t a = 0; a < data_.arms; ++a) keep[a] = unbounded_[a] == 0 || weights[a] != 0;
  const ArmData kept = keep_arms(data_, keep);
  Target t{CensoredProfile(kept, floor_, restriction()), {}, {}};
  t.weights.reserve(kept.arms);
  t.at.reserve(kept.arms + 2);
  double total_sd = 0;
  for (size_t i = bounded_arms_; i < at_.size(); ++i) {
    total_sd = std::hypot(total_sd, std::exp(at_[i]));
  }
  size_t bounded = 0;
  for (size_t a = 0; a < data_.arms; ++a) {
    if (!keep[a]) continue;
    t.weights.push_back(weights[a]);
    // Three standard deviations beyond its bound an arm is as likely as at infinity.
    const int side = unbounded_[a];
    t.at.push_back(side == 0 ? at_[bounded++] : bound_of(a, side) + 3 * side * total_sd);
    t.value += weights[a] * t.at.back();
  }
  t.at.insert(t.at.end(), at_.begin() + bounded_arms_, at_.end());
  // One bounded arm alone has a single spread, that of residual and seeds together.
  if (kept.arms > 1 && bounded_arms_ == 1) t.at.push_back(t.at.back());
  return t;
}

// Of one arm that is censored: the bound itself.
void CensoredTwoWay::set_bound(Estimate& e, std::span<const double> weights) const {
  const auto used = [](double w) { return w != 0; };
  if (std::count_if(weights.begin(), weights.end(), used) != 1) return;
  const size_t arm = std::find_if(weights.begin(), weights.end(), used) - weights.begin();
  for (const int side : {1, -1}) {
    const double bound = bound_of(arm, side);
    if (!std::isfinite(bound)) continue;
    e.value = weights[arm] * bound;
    e.censored = weights[arm] * side > 0 ? Censored::kRight : Censored::kLeft;
    return;
  }
}

Estimate CensoredTwoWay::estimate(std::span<const double> weights, double level) const {
  check_weights(weights, data_.arms, level);
  Estimate e;
  e.value = e.standard_error = e.df = e.p = std::nan("");
  if (at_.empty()) {
    set_bound(e, weights);
  } else {
    add_interval(e, weights, level);
  }
  return e;
}

// Twice the drop of the restricted log-likelihood of a normal sample is df log(1 + t^2 / df):
// turned around it gives a t statistic that is exact for an arm alone and for a contrast of
// complete exact data, and intervals that are wide enough where seeds are few.
void CensoredTwoWay::add_interval(Estimate& e, std::span<const double> weights,
                                  double level) const {
  const Pull pull = pull_of(weights);
  const Target target = target_of(weights);
  if (pull.up || pull.down) {
    e.censored = pull.up ? Censored::kRight : Censored::kLeft;
    set_bound(e, weights);
  } else {
    e.value = target.value;
  }
  const auto [df, error] = precision_of(weights);
  e.df = df;
  e.interval = {-kInfinity, kInfinity};
  e.standard_error = kInfinity;
  if (is_difference(weights)) e.p = 1;
  if (pull.up && pull.down) return;
  const auto t_of = [&, df = df](std::vector<double>& at, double x) {
    const double drop = log_likelihood_ - target.profile.maximize(at, target.weights, x);
    return std::min(std::sqrt(df * std::expm1(2 * std::max(drop, 0.0) / df)), kMostT);
  };
  const double t = t_quantile(0.5 + level / 2, df);
  const auto end = [&, error = error](double direction) {
    std::vector<double> at = target.at;
    return reach([&](double x) { return t_of(at, x); }, target.value, direction * t * error, t,
                 kFarthest * range_);
  };
  if (!pull.down) e.interval->low = end(-1);
  if (!pull.up) e.interval->high = end(1);
  e.standard_error = 0.5 * (e.interval->high - e.interval->low) / t;
  if (!is_difference(weights)) return;
  std::vector<double> at = target.at;
  e.p = t_two_sided_p(t_of(at, 0), df);
}

}  // namespace keel
