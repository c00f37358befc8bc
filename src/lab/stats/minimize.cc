#include "lab/stats/minimize.h"

#include <algorithm>
#include <cmath>

namespace keel {
namespace {

double dot(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

double largest(std::span<const double> v) {
  double most = 0;
  for (const double x : v) most = std::max(most, std::abs(x));
  return most;
}

class Bfgs {
 public:
  Bfgs(const Objective& f, std::vector<double> start) : f_(f), n_(start.size()) {
    at_.x = std::move(start);
    gradient_.resize(n_);
    at_.value = f_(at_.x, gradient_);
    forget();
  }

  Minimum run(double tolerance, int max_steps) {
    for (int i = 0; i < max_steps; ++i) {
      if (largest(gradient_) <= tolerance) break;
      if (step()) continue;
      // The curvature may be stale: once more from steepest descent before giving up.
      if (fresh_) break;
      forget();
    }
    at_.gradient_norm = largest(gradient_);
    return at_;
  }

 private:
  void forget() {
    inverse_.assign(n_ * n_, 0.0);
    const double scale = 1 / std::max(1.0, largest(gradient_));
    for (size_t i = 0; i < n_; ++i) inverse_[i * n_ + i] = scale;
    fresh_ = true;
  }

  std::vector<double> direction() const {
    std::vector<double> d(n_);
    for (size_t i = 0; i < n_; ++i) d[i] = -dot({&inverse_[i * n_], n_}, gradient_);
    return d;
  }

  // One step along the quasi-Newton direction; false when none decreases the value.
  bool step() {
    const std::vector<double> d = direction();
    const double slope = dot(d, gradient_);
    const double rounding = 1e-10 * (1 + std::abs(at_.value));
    if (!(slope < 0)) return false;
    std::vector<double> x(n_), gradient(n_);
    for (double length = 1; length > 1e-10; length *= 0.4) {
      for (size_t i = 0; i < n_; ++i) x[i] = at_.x[i] + length * d[i];
      const double value = f_(x, gradient);
      if (value <= at_.value + 1e-4 * length * slope) {
        accept(std::move(x), value, std::move(gradient));
        return true;
      }
      // The decrease to be had drowns in rounding: there the gradient is the judge.
      if (-length * slope > rounding) continue;
      if (!(value <= at_.value + rounding) || largest(gradient) > 0.7 * largest(gradient_)) break;
      accept(std::move(x), value, std::move(gradient));
      return true;
    }
    return false;
  }

  void accept(std::vector<double> x, double value, std::vector<double> gradient) {
    std::vector<double> s(n_), y(n_);
    for (size_t i = 0; i < n_; ++i) {
      s[i] = x[i] - at_.x[i];
      y[i] = gradient[i] - gradient_[i];
    }
    at_.x = std::move(x);
    at_.value = value;
    gradient_ = std::move(gradient);
    const double curvature = dot(s, y);
    if (!(curvature > 1e-12 * std::sqrt(dot(s, s) * dot(y, y)))) return;
    if (fresh_) {  // the scale of the first inverse, Nocedal and Wright (6.20)
      std::fill(inverse_.begin(), inverse_.end(), 0.0);
      for (size_t i = 0; i < n_; ++i) inverse_[i * n_ + i] = curvature / dot(y, y);
      fresh_ = false;
    }
    update(s, y, curvature);
  }

  // H <- (I - s y'/c) H (I - y s'/c) + s s'/c
  void update(std::span<const double> s, std::span<const double> y, double c) {
    std::vector<double> hy(n_);
    for (size_t i = 0; i < n_; ++i) hy[i] = dot({&inverse_[i * n_], n_}, y);
    const double scale = (1 + dot(y, hy) / c) / c;
    for (size_t i = 0; i < n_; ++i) {
      for (size_t j = 0; j < n_; ++j) {
        inverse_[i * n_ + j] += scale * s[i] * s[j] - (hy[i] * s[j] + s[i] * hy[j]) / c;
      }
    }
  }

  const Objective& f_;
  size_t n_;
  Minimum at_;
  std::vector<double> gradient_, inverse_;
  bool fresh_ = true;
};

}  // namespace

Minimum minimize(const Objective& f, std::vector<double> start, double tolerance, int max_steps) {
  return Bfgs(f, std::move(start)).run(tolerance, max_steps);
}

}  // namespace keel
