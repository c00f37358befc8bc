#include "lab/stats/linear.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace keel {
namespace {

// A column of which less than this share is independent of the columns before it has none.
constexpr double kDependent = 1e-10;

// Columns of the design and the values behind them; triangulate() turns the top of the columns into
// R, the values into Q'y.
class Triangle {
 public:
  Triangle(std::span<const double> x, std::span<const double> y, size_t columns)
      : rows_(y.size()), columns_(columns), a_((columns + 1) * rows_) {
    for (size_t i = 0; i < rows_; ++i) {
      for (size_t j = 0; j < columns_; ++j) column(j)[i] = x[i * columns_ + j];
      column(columns_)[i] = y[i];
    }
  }

  // The number of independent columns from the left.
  size_t triangulate() {
    for (size_t j = 0; j < columns_; ++j) {
      const double length = norm(j, 0), below = norm(j, j);
      if (j >= rows_ || below <= kDependent * length) return j;
      reflect(j, below);
    }
    return columns_;
  }

  double r(size_t i, size_t j) const { return a_[j * rows_ + i]; }
  double value(size_t i) const { return a_[columns_ * rows_ + i]; }

 private:
  double* column(size_t j) { return &a_[j * rows_]; }
  double norm(size_t j, size_t from) {
    double sum = 0;
    for (size_t i = from; i < rows_; ++i) sum += column(j)[i] * column(j)[i];
    return std::sqrt(sum);
  }

  // I - 2 v v' / v'v makes column j zero below its diagonal.
  void reflect(size_t j, double below) {
    std::vector<double> v(column(j) + j, column(j) + rows_);
    v[0] += std::copysign(below, v[0]);
    double square = 0;
    for (const double x : v) square += x * x;
    for (size_t k = j; k <= columns_; ++k) {
      double* to = column(k) + j;
      double product = 0;
      for (size_t i = 0; i < v.size(); ++i) product += v[i] * to[i];
      for (size_t i = 0; i < v.size(); ++i) to[i] -= 2 * product / square * v[i];
    }
  }

  size_t rows_, columns_;
  std::vector<double> a_;
};

// R^-1, upper triangular, p x p.
std::vector<double> inverse_of(const Triangle& r, size_t p) {
  std::vector<double> inverse(p * p);
  for (size_t j = 0; j < p; ++j) {
    for (size_t i = j + 1; i-- > 0;) {
      double sum = i == j ? 1 : 0;
      for (size_t k = i + 1; k <= j; ++k) sum -= r.r(i, k) * inverse[k * p + j];
      inverse[i * p + j] = sum / r.r(i, i);
    }
  }
  return inverse;
}

}  // namespace

LeastSquares fit_least_squares(std::span<const double> x, std::span<const double> y) {
  const size_t n = y.size(), p = n > 0 ? x.size() / n : 0;
  Triangle triangle(x, y, p);
  const size_t rank = triangle.triangulate();
  if (p == 0 || rank < p) {
    throw DataError(
        fmt::format("least squares: {} values determine {} of {} coefficients", n, rank, p));
  }
  const std::vector<double> inverse = inverse_of(triangle, p);
  LeastSquares fit;
  fit.coefficients.assign(p, 0.0);
  fit.inverse_gram.assign(p * p, 0.0);
  for (size_t i = 0; i < p; ++i) {
    for (size_t k = i; k < p; ++k) fit.coefficients[i] += inverse[i * p + k] * triangle.value(k);
    for (size_t j = 0; j < p; ++j) {
      for (size_t k = std::max(i, j); k < p; ++k) {
        fit.inverse_gram[i * p + j] += inverse[i * p + k] * inverse[j * p + k];
      }
    }
  }
  for (size_t i = p; i < n; ++i) {
    fit.residual_sum_of_squares += triangle.value(i) * triangle.value(i);
  }
  return fit;
}

double quadratic_form(std::span<const double> a, std::span<const double> c) {
  double sum = 0;
  for (size_t i = 0; i < c.size(); ++i) {
    for (size_t j = 0; j < c.size(); ++j) sum += c[i] * a[i * c.size() + j] * c[j];
  }
  return sum;
}

}  // namespace keel
