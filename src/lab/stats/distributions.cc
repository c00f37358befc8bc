#include "lab/stats/distributions.h"

#include <fmt/format.h>

#include <boost/math/distributions/chi_squared.hpp>
#include <boost/math/distributions/fisher_f.hpp>
#include <boost/math/distributions/non_central_t.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>
#include <numbers>

#include "core/error.h"

namespace keel {
namespace {

namespace bm = boost::math;
// Values that leave the range of double become 0 or infinity instead of exceptions: the arguments
// are checked here.
using Policy =
    bm::policies::policy<bm::policies::overflow_error<bm::policies::ignore_error>,
                         bm::policies::underflow_error<bm::policies::ignore_error>,
                         bm::policies::promote_double<false>, bm::policies::promote_float<false>>;
using Normal = bm::normal_distribution<double, Policy>;
using T = bm::students_t_distribution<double, Policy>;
using F = bm::fisher_f_distribution<double, Policy>;
using Chi2 = bm::chi_squared_distribution<double, Policy>;
using NoncentralT = bm::non_central_t_distribution<double, Policy>;

void check_probability(const char* function, double p) {
  if (p > 0 && p < 1) return;
  throw DataError(
      fmt::format("{}: the probability is {}, it must lie between 0 and 1", function, p));
}

void check_df(const char* function, double df) {
  if (df > 0 && std::isfinite(df)) return;
  throw DataError(
      fmt::format("{}: {} degrees of freedom, there must be more than 0", function, df));
}

void check_value(const char* function, double x) {
  if (!std::isnan(x)) return;
  throw DataError(fmt::format("{}: the value is not a number", function));
}

// Of a distribution that lives on [0, infinity).
template <class D>
double positive_cdf(const D& distribution, double x) {
  if (x <= 0) return 0;
  return std::isinf(x) ? 1 : cdf(distribution, x);
}

// log(Phi(x)): erfc keeps its relative precision down to x = -37, below it the asymptotic series
// (Abramowitz and Stegun 26.2.12) is exact to rounding.
double log_phi(double x) {
  if (x > -30) return std::log(0.5 * std::erfc(-x * std::numbers::sqrt2 / 2));
  const double u = 1 / (x * x);
  const double series = u * (-1 + u * (3 + u * (-15 + u * (105 - 945 * u))));
  return -0.5 * x * x - std::log(-x) - 0.5 * std::log(2 * std::numbers::pi) + std::log1p(series);
}

double log_between(double low, double high) {
  if (low >= high) return -std::numeric_limits<double>::infinity();
  if (low > 0) return log_between(-high, -low);
  if (high > 0) {  // 0 is inside: what lies outside is small or of like size
    const double outside = 0.5 * (std::erfc(-low * std::numbers::sqrt2 / 2) +
                                  std::erfc(high * std::numbers::sqrt2 / 2));
    return std::log1p(-outside);
  }
  const double above = log_phi(high);
  return std::isinf(low) ? above : above + std::log1p(-std::exp(log_phi(low) - above));
}

}  // namespace

double normal_log_density(double x) { return -0.5 * x * x - 0.5 * std::log(2 * std::numbers::pi); }

double normal_cdf(double x) {
  check_value("normal_cdf", x);
  return cdf(Normal(), x);
}

double normal_quantile(double probability) {
  check_probability("normal_quantile", probability);
  return quantile(Normal(), probability);
}

double t_cdf(double x, double df) {
  check_value("t_cdf", x);
  check_df("t_cdf", df);
  if (std::isinf(x)) return x > 0 ? 1 : 0;
  return cdf(T(df), x);
}

double t_quantile(double probability, double df) {
  check_probability("t_quantile", probability);
  check_df("t_quantile", df);
  return quantile(T(df), probability);
}

double t_two_sided_p(double x, double df) {
  check_value("t_two_sided_p", x);
  check_df("t_two_sided_p", df);
  return std::isinf(x) ? 0 : 2 * cdf(T(df), -std::abs(x));
}

double f_cdf(double x, double df_above, double df_below) {
  check_value("f_cdf", x);
  check_df("f_cdf", df_above);
  check_df("f_cdf", df_below);
  return positive_cdf(F(df_above, df_below), x);
}

double f_upper_p(double x, double df_above, double df_below) {
  check_value("f_upper_p", x);
  check_df("f_upper_p", df_above);
  check_df("f_upper_p", df_below);
  if (x <= 0) return 1;
  return std::isinf(x) ? 0 : cdf(complement(F(df_above, df_below), x));
}

double f_quantile(double probability, double df_above, double df_below) {
  check_probability("f_quantile", probability);
  check_df("f_quantile", df_above);
  check_df("f_quantile", df_below);
  return quantile(F(df_above, df_below), probability);
}

double chi2_cdf(double x, double df) {
  check_value("chi2_cdf", x);
  check_df("chi2_cdf", df);
  return positive_cdf(Chi2(df), x);
}

double chi2_quantile(double probability, double df) {
  check_probability("chi2_quantile", probability);
  check_df("chi2_quantile", df);
  return quantile(Chi2(df), probability);
}

double noncentral_t_cdf(double x, double df, double shift) {
  check_value("noncentral_t_cdf", x);
  check_value("noncentral_t_cdf", shift);
  check_df("noncentral_t_cdf", df);
  return cdf(NoncentralT(df, shift), x);
}

LogInterval log_normal_interval(double low, double high) {
  const double log_p = log_between(low, high);
  const double by_low = std::isinf(low) ? 0 : -std::exp(normal_log_density(low) - log_p);
  const double by_high = std::isinf(high) ? 0 : std::exp(normal_log_density(high) - log_p);
  return {log_p, by_low, by_high};
}

}  // namespace keel
