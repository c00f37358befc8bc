#include "lab/stats/two_way.h"

#include <array>
#include <cmath>

#include "lab/stats/distributions.h"

namespace keel {
namespace {

enum class Columns { kArms, kSeeds, kBoth };

// Arms as indicators; seeds as deviations that sum to 0, so that an arm's coefficient is its mean
// over all seeds, the missing ones filled in by the model. Seeds alone come with a common mean.
LeastSquares fit(const ArmData& data, Columns columns) {
  const size_t arms = columns == Columns::kSeeds ? 1 : data.arms;
  const size_t deviations = columns == Columns::kArms ? 0 : data.seeds - 1;
  const size_t p = arms + deviations;
  std::vector<double> x(data.cells.size() * p), y;
  y.reserve(data.cells.size());
  for (size_t i = 0; i < data.cells.size(); ++i) {
    const ArmData::Cell& c = data.cells[i];
    double* row = &x[i * p];
    row[arms == 1 ? 0 : c.arm] = 1;
    for (size_t s = 0; s < deviations; ++s) {
      row[arms + s] = c.seed == s ? 1 : c.seed == data.seeds - 1 ? -1 : 0;
    }
    y.push_back(c.low);
  }
  return fit_least_squares(x, y);
}

// What the rounding of a value may come to. Sums of squares below its square are none.
double rounding_of(const ArmData& data) {
  double largest = 0;
  for (const ArmData::Cell& c : data.cells) largest = std::max(largest, std::abs(c.low));
  return 1e-13 * largest;
}

}  // namespace

TwoWay::TwoWay(const ArmData& data)
    : arms_(data.arms),
      seeds_(data.seeds),
      cells_(data.cells.size()),
      rounding_(rounding_of(data)) {
  fit_ = fit(data, Columns::kBoth);
  const double all_rounding = rounding_ * rounding_ * static_cast<double>(cells_);
  double& rss = fit_.residual_sum_of_squares;
  if (rss <= all_rounding) rss = 0;
  residual_df_ = static_cast<double>(cells_) - static_cast<double>(arms_ + seeds_ - 1);
  residual_ms_ = residual_df_ > 0 ? rss / residual_df_ : std::nan("");
  const double without_seeds = fit(data, Columns::kArms).residual_sum_of_squares;
  const double of_seeds = without_seeds - rss > all_rounding ? without_seeds - rss : 0;
  seed_ms_ = seeds_ > 1 ? of_seeds / static_cast<double>(seeds_ - 1) : std::nan("");
  const double without_arms = fit(data, Columns::kSeeds).residual_sum_of_squares;
  arm_ms_ = arms_ > 1 ? (without_arms - rss) / static_cast<double>(arms_ - 1) : std::nan("");
}

double TwoWay::residual_sd() const { return std::sqrt(residual_ms_); }

// E[seed_ms] = residual_sd^2 + seed_sd^2 (cells - arms) / (seeds - 1): Henderson's method 3
// (Searle, Casella and McCulloch, Variance Components, 5.5).
double TwoWay::seed_sd() const {
  const double per_seed = static_cast<double>(cells_ - arms_) / static_cast<double>(seeds_ - 1);
  const double square = (seed_ms_ - (arms_ == 1 ? 0 : residual_ms_)) / per_seed;
  return std::isnan(square) ? square : std::sqrt(std::max(square, 0.0));
}

Estimate TwoWay::estimate(std::span<const double> weights, double level) const {
  check_weights(weights, arms_, level);
  std::vector<double> c(fit_.coefficients.size());
  Estimate e;
  double total = 0;
  for (size_t a = 0; a < arms_; ++a) {
    c[a] = weights[a];
    total += weights[a];
    e.value += weights[a] * fit_.coefficients[a];
  }
  // Variance = q residual_sd^2 + total^2 seed_sd^2 / seeds, both through their mean squares.
  const double q = quadratic_form(fit_.inverse_gram, c);
  const auto seeds = static_cast<double>(seeds_), cells = static_cast<double>(cells_);
  const double of_seeds =
      is_difference(weights) ? 0 : total * total * (seeds - 1) / (seeds * (cells - arms_));
  double of_residual = std::max(q - of_seeds, 0.0);
  if (of_residual < 1e-12 * q) of_residual = 0;  // one arm: no residual is needed
  if (seeds_ < 2 || (of_residual > 0 && residual_df_ <= 0)) {
    e.standard_error = e.df = e.p = std::nan("");
    return e;
  }
  const std::array<MeanSquare, 2> parts{
      {{of_seeds, seed_ms_, seeds - 1}, {of_residual, residual_ms_, residual_df_}}};
  double variance = of_seeds * seed_ms_;
  if (of_residual > 0) variance += of_residual * residual_ms_;
  e.standard_error = std::sqrt(variance);
  e.df = satterthwaite_df(parts);
  e.p = std::nan("");
  if (std::abs(e.value) <= rounding_) e.value = 0;
  // Seeds that do not differ at all say nothing of those that might have been drawn.
  if (e.standard_error == 0 && e.value != 0) return e;
  if (is_difference(weights)) {
    e.p = e.value == 0 ? 1 : t_two_sided_p(e.value / e.standard_error, e.df);
  }
  const double half = t_quantile(0.5 + level / 2, e.df) * e.standard_error;
  e.interval = {e.value - half, e.value + half};
  return e;
}

TwoWay::FTest TwoWay::test_arms() const {
  const double df = static_cast<double>(arms_) - 1, f = arm_ms_ / residual_ms_;
  if (std::isnan(f)) return {f, df, residual_df_, f};
  return {f, df, residual_df_, f_upper_p(f, df, residual_df_)};
}

}  // namespace keel
