// Ordinary least squares on a small dense design by Householder QR (Golub and Van Loan, Matrix
// Computations, 4th ed., 5.2 and 5.3). Written out because Eigen takes longer to compile than one
// file may.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace keel {

struct LeastSquares {
  std::vector<double> coefficients;  // p of them
  std::vector<double> inverse_gram;  // (X'X)^-1, p x p
  double residual_sum_of_squares = 0;
};

// Fits y (n) on the columns of x (n x p, row-major). DataError when they are not linearly
// independent, as when n < p.
LeastSquares fit_least_squares(std::span<const double> x, std::span<const double> y);

// c' A c of a square A laid out as inverse_gram is.
double quadratic_form(std::span<const double> a, std::span<const double> c);

}  // namespace keel
