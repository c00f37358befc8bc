#include "lab/stats/censored_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "core/error.h"
#include "lab/stats/distributions.h"
#include "lab/stats/minimize.h"

namespace keel {
namespace {

// Spreads below this part of the data's range count as none.
constexpr double kLeastSpread = 1e-4;
// An end of the interval this many standard errors away is at infinity.
constexpr double kFarthest = 1e4;
constexpr double kMostLogSd = 100;

bool bounded(const LinePoint& p) { return std::isfinite(p.low) && std::isfinite(p.high); }

// Parameters are the value at the mean of x, the slope, and psi: sd = hypot(floor, e^psi).
class Line {
 public:
  explicit Line(std::span<const LinePoint> points) : points_(points.begin(), points.end()) {
    double low = INFINITY, high = -INFINITY;
    for (const LinePoint& p : points_) {
      centre_ += p.x / static_cast<double>(points_.size());
      for (const double y : {p.low, p.high}) {
        if (std::isinf(y)) continue;
        low = std::min(low, y);
        high = std::max(high, y);
      }
    }
    range_ = high > low ? high - low : 1;
  }

  double centre() const { return centre_; }
  double sd(double psi) const { return std::hypot(kLeastSpread * range_, std::exp(psi)); }

  // Minus the restricted log-likelihood and its gradient.
  double operator()(std::span<const double> at, std::span<double> gradient) const {
    std::fill(gradient.begin(), gradient.end(), 0.0);
    if (!std::isfinite(at[0]) || !std::isfinite(at[1]) || std::abs(at[2]) > kMostLogSd) {
      return INFINITY;
    }
    const double s = sd(at[2]);
    double value = -2 * std::log(s), by_log_sd = -2;  // two means are estimated: REML
    for (const LinePoint& p : points_) {
      const double x = p.x - centre_, mean = at[0] + at[1] * x;
      double by_mean = 0;
      if (p.low == p.high) {
        const double z = (p.low - mean) / s;
        value += 0.5 * z * z + 0.5 * std::log(2 * std::numbers::pi) + std::log(s);
        by_mean = -z / s;
        by_log_sd -= z * z - 1;
      } else {
        const double low = (p.low - mean) / s, high = (p.high - mean) / s;
        const LogInterval log = log_normal_interval(low, high);
        value -= log.log_p;
        by_mean = (log.by_low + log.by_high) / s;
        if (std::isfinite(low)) by_log_sd += log.by_low * low;
        if (std::isfinite(high)) by_log_sd += log.by_high * high;
      }
      gradient[0] += by_mean;
      gradient[1] += by_mean * x;
    }
    gradient[2] = by_log_sd * std::exp(2 * at[2]) / (s * s);
    return value;
  }

  // Least squares on the middles of intervals and on bounds.
  std::vector<double> first_guess() const {
    double y_mean = 0, xx = 0, xy = 0, rest = 0;
    const auto n = static_cast<double>(points_.size());
    for (const LinePoint& p : points_) y_mean += middle(p) / n;
    for (const LinePoint& p : points_) {
      xx += (p.x - centre_) * (p.x - centre_);
      xy += (p.x - centre_) * (middle(p) - y_mean);
    }
    const double slope = xy / xx;
    for (const LinePoint& p : points_) {
      const double e = middle(p) - y_mean - slope * (p.x - centre_);
      rest += e * e / n;
    }
    return {y_mean, slope, std::log(std::max(std::sqrt(rest), 0.05 * range_))};
  }

  // The least value with that slope; moves `at` there.
  double with_slope(std::vector<double>& at, double slope) const {
    std::vector<double> full(3);
    const auto objective = [&](std::span<const double> x, std::span<double> g) {
      const double of[3] = {x[0], slope, x[1]};
      const double value = (*this)(of, full);
      g[0] = full[0];
      g[1] = full[2];
      return value;
    };
    const Minimum best = minimize(objective, {at[0], at[2]}, 1e-8);
    at = {best.x[0], slope, best.x[1]};
    return best.value;
  }

 private:
  static double middle(const LinePoint& p) {
    if (std::isinf(p.high)) return p.low;
    return std::isinf(p.low) ? p.high : 0.5 * (p.low + p.high);
  }

  std::vector<LinePoint> points_;
  double centre_ = 0, range_ = 1;
};

void check(std::span<const LinePoint> points) {
  for (const LinePoint& p : points) {
    const bool good =
        std::isfinite(p.x) && p.low <= p.high && (std::isfinite(p.low) || std::isfinite(p.high));
    if (good) continue;
    throw DataError(
        fmt::format("line: x = {} with bounds {} and {} is no point", p.x, p.low, p.high));
  }
}

bool enough(std::span<const LinePoint> points) {
  double count = 0, low = INFINITY, high = -INFINITY;
  for (const LinePoint& p : points) {
    if (!bounded(p)) continue;
    ++count;
    low = std::min(low, p.x);
    high = std::max(high, p.x);
  }
  return count >= 3 && high > low;
}

// Where t(slope), which is 0 at `from` and grows with the distance, reaches `wanted`.
template <class F>
double reach(const F& t, double from, double step, double wanted) {
  double near = from, far = from + step;
  const double most = kFarthest * std::abs(step);
  while (t(far) < wanted) {
    near = far;
    far = from + 2 * (far - from);
    if (std::abs(far - from) > most) return std::copysign(INFINITY, step);
  }
  for (int i = 0; i < 100 && std::abs(far - near) > 1e-12 * std::abs(far - from); ++i) {
    const double middle = 0.5 * (near + far);
    (t(middle) < wanted ? near : far) = middle;
  }
  return 0.5 * (near + far);
}

}  // namespace

std::optional<LineFit> fit_censored_line(std::span<const LinePoint> points, double level) {
  check(points);
  if (!(level > 0 && level < 1)) {
    throw DataError(fmt::format("line: the level {} is not between 0 and 1", level));
  }
  if (!enough(points)) return {};
  const Line line(points);
  const Minimum best =
      minimize([&](std::span<const double> x, std::span<double> g) { return line(x, g); },
               line.first_guess());
  LineFit fit;
  fit.slope = best.x[1];
  fit.intercept = best.x[0] - fit.slope * line.centre();
  fit.sd = line.sd(best.x[2]);
  double xx = 0, n = 0;
  for (const LinePoint& p : points) {
    if (!bounded(p)) continue;
    xx += (p.x - line.centre()) * (p.x - line.centre());
    ++n;
  }
  fit.df = n - 2;
  const double wanted = t_quantile(0.5 + level / 2, fit.df);
  const double error = fit.sd / std::sqrt(xx);
  const auto end = [&](double direction) {
    std::vector<double> at = best.x;
    const auto t = [&](double slope) {
      const double drop = std::max(line.with_slope(at, slope) - best.value, 0.0);
      return std::sqrt(fit.df * std::expm1(2 * drop / fit.df));
    };
    return reach(t, fit.slope, direction * wanted * error, wanted);
  };
  fit.slope_interval = {end(-1), end(1)};
  return fit;
}

}  // namespace keel
