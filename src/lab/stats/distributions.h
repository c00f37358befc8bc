// Distribution functions of the normal, t, F, chi-squared and noncentral t distributions, by
// Boost.Math. Degrees of freedom need not be whole. A probability outside (0, 1), degrees of
// freedom that are not positive or a NaN throw DataError naming the function and the argument.
#pragma once

namespace keel {

double normal_cdf(double x);
double normal_quantile(double probability);
double normal_log_density(double x);  // of any x, unchecked

double t_cdf(double x, double df);
double t_quantile(double probability, double df);
// P(|T| >= |x|), exact far into the tail.
double t_two_sided_p(double x, double df);

double f_cdf(double x, double df_above, double df_below);
// P(F > x), exact far into the tail.
double f_upper_p(double x, double df_above, double df_below);
double f_quantile(double probability, double df_above, double df_below);

double chi2_cdf(double x, double df);
double chi2_quantile(double probability, double df);

// T = (Z + shift) / sqrt(chi2_df / df): what a t statistic follows when the mean is not 0.
double noncentral_t_cdf(double x, double df, double shift);

// log(P(low < Z <= high)) of a standard normal Z and its derivatives by both ends; the ends may be
// infinite. Exact to rounding far into either tail; -infinity when high <= low.
struct LogInterval {
  double log_p, by_low, by_high;
};
LogInterval log_normal_interval(double low, double high);

}  // namespace keel
