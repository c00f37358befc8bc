#include "lab/stats/censored_profile.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "lab/stats/minimize.h"

namespace keel {

// What REML adds (Harville, JASA 72, 1977), minus half the log-determinant of the means' precision,
// for a complete table: the mean of all arms has a variance in proportion to residual^2 +
// cells_per_seed * seed^2, each of the contrasts between arms one in proportion to residual^2. It
// takes the bias out of the spreads and keeps them from 0 where a censored table could be fitted
// without any.
double CensoredProfile::restrict(std::span<const double> parameters,
                                 std::span<double> gradient) const {
  if (arms_ == 1) {
    gradient[1] += 1;
    return parameters[1];
  }
  const double residual = std::exp(2 * parameters[arms_]);
  const double seed = restriction_.cells_per_seed * std::exp(2 * parameters[arms_ + 1]);
  gradient[arms_] += restriction_.arms - 1 + residual / (residual + seed);
  gradient[arms_ + 1] += seed / (residual + seed);
  return (restriction_.arms - 1) * parameters[arms_] + 0.5 * std::log(residual + seed);
}

// Minus the restricted log-likelihood and its gradient by means and psi.
double CensoredProfile::evaluate(std::span<const double> x, std::span<double> gradient) const {
  std::vector<double> parameters(x.begin(), x.end());
  for (size_t i = arms_; i < x.size(); ++i) {
    parameters[i] = std::log(std::hypot(floor_, std::exp(x[i])));
  }
  double value = likelihood_(parameters, gradient);
  if (std::isinf(value)) return -value;
  value += restrict(parameters, gradient);
  for (size_t i = arms_; i < x.size(); ++i) gradient[i] *= std::exp(2 * (x[i] - parameters[i]));
  for (double& g : gradient) g = -g;
  return -value;
}

double CensoredProfile::maximize(std::vector<double>& at) const {
  const auto objective = [&](std::span<const double> x, std::span<double> g) {
    return evaluate(x, g);
  };
  Minimum best = minimize(objective, std::move(at));
  at = std::move(best.x);
  return -best.value;
}

double CensoredProfile::maximize(std::vector<double>& at, std::span<const double> weights,
                                 double target) const {
  const auto by_size = [](double a, double b) { return std::abs(a) < std::abs(b); };
  const auto pivot = std::max_element(weights.begin(), weights.end(), by_size) - weights.begin();
  double gap = target, square = 0;
  for (size_t a = 0; a < arms_; ++a) {
    gap -= weights[a] * at[a];
    square += weights[a] * weights[a];
  }
  for (size_t a = 0; a < arms_; ++a) at[a] += gap * weights[a] / square;

  // The pivot's mean follows from the other means.
  const auto complete = [&](std::span<const double> x) {
    std::vector<double> full(x.begin(), x.end());
    full.insert(full.begin() + pivot, 0.0);
    double rest = target;
    for (size_t a = 0; a < arms_; ++a) rest -= weights[a] * full[a];
    full[pivot] = rest / weights[pivot];
    return full;
  };
  std::vector<double> gradient(at.size());
  const auto objective = [&](std::span<const double> x, std::span<double> g) {
    const double value = evaluate(complete(x), gradient);
    size_t to = 0;
    for (size_t i = 0; i < gradient.size(); ++i) {
      if (i == static_cast<size_t>(pivot)) continue;
      const double slope = i < arms_ ? weights[i] / weights[pivot] : 0;
      g[to++] = gradient[i] - gradient[pivot] * slope;
    }
    return value;
  };
  std::vector<double> start = at;
  start.erase(start.begin() + pivot);
  const Minimum best = minimize(objective, std::move(start), 1e-5);
  at = complete(best.x);
  return -best.value;
}

}  // namespace keel
