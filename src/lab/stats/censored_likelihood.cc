#include <algorithm>
#include <cmath>
#include <numbers>

#include "lab/stats/censored.h"
#include "lab/stats/distributions.h"

namespace keel {
namespace {

// Nodes of the trapezoid rule reach this many standard deviations beyond the block's mean, or
// beyond a censored cell's bounds if that is nearer, and lie this part of the integrand's finest
// feature apart: errors of exp(-reach^2 / 2) and exp(-2 pi^2 / spacing^2), each 2e-11 or less.
constexpr double kReach = 7, kReachOfCell = 8, kSpacing = 0.9;
constexpr double kMostNodes = 1000;
// Squares of spreads whose logarithm is further from 0 may overflow.
constexpr double kMostLogSpread = 100;

// Nodes at first + step * i, each with the same weight.
struct Nodes {
  double first, step, weight;
  int count;
};

}  // namespace

struct CensoredLikelihood::Block {
  double centre, width;  // normal, given the exact cells alone
  size_t censored;
  double low, high;  // where all censored cells are possible

  Block(const Cells& cells, std::span<const double> means, Spread sd);
  Nodes nodes(double residual_sd) const;
};

CensoredLikelihood::Block::Block(const Cells& cells, std::span<const double> means, Spread sd)
    : censored(0), low(-INFINITY), high(INFINITY) {
  double precision = 1 / (sd.seed * sd.seed), pull = 0;
  for (const ArmData::Cell& c : cells) {
    if (c.exact()) {
      precision += 1 / (sd.residual * sd.residual);
      pull += (c.low - means[c.arm]) / (sd.residual * sd.residual);
      continue;
    }
    ++censored;
    low = std::max(low, c.low - means[c.arm] - kReachOfCell * sd.residual);
    high = std::min(high, c.high - means[c.arm] + kReachOfCell * sd.residual);
  }
  centre = pull / precision;
  width = 1 / std::sqrt(precision);
}

// The integrand is a normal density times a smooth step for each bound of a censored cell. Their
// spectra convolve, so that their precisions add. Without steps two nodes give the integral and the
// posterior mean of the gradient, which is a parabola, exactly (Gauss-Hermite).
Nodes CensoredLikelihood::Block::nodes(double residual_sd) const {
  if (censored == 0) {
    const double weight = width * std::sqrt(2 * std::numbers::pi) * std::exp(0.5) / 2;
    return {centre - width, 2 * width, weight, 2};
  }
  double from = centre - kReach * width, to = centre + kReach * width;
  // Bounds that contradict each other or the exact cells leave the mass somewhere in between.
  if (std::max(from, low) + width < std::min(to, high)) {
    from = std::max(from, low);
    to = std::min(to, high);
  }
  const double precision =
      1 / (width * width) + static_cast<double>(censored) / (residual_sd * residual_sd);
  const double spaces = std::ceil((to - from) * std::sqrt(precision) / kSpacing);
  const int count = static_cast<int>(std::min(spaces, kMostNodes)) + 1;
  const double step = (to - from) / (count - 1);
  return {from, step, step, count};
}

CensoredLikelihood::CensoredLikelihood(const ArmData& data)
    : arms_(data.arms), blocks_(data.arms > 1), seeds_(data.seeds) {
  for (const ArmData::Cell& c : data.cells) seeds_[c.seed].push_back(c);
}

double CensoredLikelihood::given_block(const Cells& cells, std::span<const double> means, Spread sd,
                                       double block, std::span<double> gradient) const {
  double sum = 0;
  std::fill(gradient.begin(), gradient.end(), 0.0);
  for (const ArmData::Cell& c : cells) {
    const double mean = means[c.arm] + block;
    if (c.exact()) {
      const double z = (c.low - mean) / sd.residual;
      sum += normal_log_density(z) - std::log(sd.residual);
      gradient[c.arm] += z / sd.residual;
      gradient[arms_] += z * z - 1;
      continue;
    }
    const double low = (c.low - mean) / sd.residual, high = (c.high - mean) / sd.residual;
    const LogInterval p = log_normal_interval(low, high);
    sum += p.log_p;
    gradient[c.arm] -= (p.by_low + p.by_high) / sd.residual;
    if (std::isfinite(low)) gradient[arms_] -= p.by_low * low;
    if (std::isfinite(high)) gradient[arms_] -= p.by_high * high;
  }
  return sum;
}

double CensoredLikelihood::integrated(const Cells& cells, std::span<const double> means, Spread sd,
                                      std::span<double> gradient) const {
  const Nodes nodes = Block(cells, means, sd).nodes(sd.residual);
  std::vector<double> logs, gradients, at(gradient.size());
  logs.reserve(static_cast<size_t>(nodes.count));
  gradients.reserve(logs.capacity() * at.size());
  for (int i = 0; i < nodes.count; ++i) {
    const double block = nodes.first + nodes.step * i, z = block / sd.seed;
    logs.push_back(given_block(cells, means, sd, block, at) + normal_log_density(z) -
                   std::log(sd.seed));
    at[arms_ + 1] = z * z - 1;
    gradients.insert(gradients.end(), at.begin(), at.end());
  }
  // Fisher's identity: the gradient is the mean of the integrand's over the block's posterior.
  const double most = *std::max_element(logs.begin(), logs.end());
  double sum = 0;
  std::fill(gradient.begin(), gradient.end(), 0.0);
  for (size_t i = 0; i < logs.size(); ++i) {
    const double weight = std::exp(logs[i] - most);
    sum += weight;
    for (size_t j = 0; j < gradient.size(); ++j) {
      gradient[j] += weight * gradients[i * gradient.size() + j];
    }
  }
  for (double& g : gradient) g /= sum;
  return most + std::log(sum * nodes.weight);
}

double CensoredLikelihood::operator()(std::span<const double> parameters,
                                      std::span<double> gradient) const {
  const std::span<const double> means = parameters.first(arms_), logs = parameters.subspan(arms_);
  const auto finite = [](double x) { return std::isfinite(x); };
  const auto usable = [](double x) { return std::abs(x) < kMostLogSpread; };
  if (!std::all_of(means.begin(), means.end(), finite) ||
      !std::all_of(logs.begin(), logs.end(), usable)) {
    return -INFINITY;
  }
  const Spread sd{std::exp(parameters[arms_]), blocks_ ? std::exp(parameters[arms_ + 1]) : 0};
  double sum = 0;
  std::vector<double> part(gradient.size());
  std::fill(gradient.begin(), gradient.end(), 0.0);
  for (const Cells& cells : seeds_) {
    sum += blocks_ ? integrated(cells, means, sd, part) : given_block(cells, means, sd, 0, part);
    for (size_t j = 0; j < gradient.size(); ++j) gradient[j] += part[j];
  }
  return sum;
}

}  // namespace keel
