#include "lab/stats/contrasts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "lab/stats/arm_data.h"

namespace keel {
namespace {

std::vector<size_t> ascending(std::span<const double> p) {
  std::vector<size_t> order(p.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return p[a] < p[b]; });
  return order;
}

// The share of error that each contrast may use: alpha / (m - i) for the i-th smallest p as long as
// all before it are rejected; from the first that is not, all share its level.
std::vector<double> holm_levels(std::span<const double> p, double alpha) {
  std::vector<double> shares(p.size());
  const double m = static_cast<double>(p.size());
  double rejected = 0;
  bool going = true;
  for (const size_t i : ascending(p)) {
    shares[i] = alpha / (m - rejected);
    going = going && p[i] < shares[i];
    if (going) ++rejected;
  }
  return shares;
}

void check_contrast(const Contrast& c) {
  if (is_difference(c.weights)) return;
  const double sum = std::accumulate(c.weights.begin(), c.weights.end(), 0.0);
  throw DataError(
      fmt::format("contrast \"{}\": the weights sum to {}, they must sum to 0", c.name, sum));
}

void judge(JudgedContrast& c, double margin) {
  if (!c.holm_interval) return;
  c.inside_margin = -margin <= c.holm_interval->low && c.holm_interval->high <= margin;
  if (!c.holm_interval->contains(0)) {
    c.resolution = Resolution::kDiffers;
  } else if (c.inside_margin) {
    c.resolution = Resolution::kTie;
  }
}

}  // namespace

const char* name_of(Resolution resolution) {
  switch (resolution) {
    case Resolution::kDiffers:
      return "differs";
    case Resolution::kTie:
      return "tie";
    case Resolution::kNotResolved:
      return "not resolved";
  }
  return "";
}

std::vector<double> holm_adjusted(std::span<const double> p) {
  std::vector<double> adjusted(p.size());
  double largest = 0, left = static_cast<double>(p.size());
  for (const size_t i : ascending(p)) {
    largest = std::max(largest, std::min(1.0, left-- * p[i]));
    adjusted[i] = largest;
  }
  return adjusted;
}

std::vector<JudgedContrast> judge_contrasts(std::span<const ContrastOf> contrasts, double margin,
                                            double level) {
  if (!(margin > 0)) {
    throw DataError(
        fmt::format("contrasts: the margin of a tie is {}, it must be above 0", margin));
  }
  std::vector<JudgedContrast> judged;
  std::vector<double> p;
  judged.reserve(contrasts.size());
  p.reserve(contrasts.size());
  for (const auto& [model, c] : contrasts) {
    check_contrast(c);
    judged.push_back({c.name, model->estimate(c.weights, level), 1, std::nullopt});
    p.push_back(std::isnan(judged.back().estimate.p) ? 1 : judged.back().estimate.p);
  }
  const std::vector<double> adjusted = holm_adjusted(p), shares = holm_levels(p, 1 - level);
  for (size_t i = 0; i < judged.size(); ++i) {
    const auto& [model, c] = contrasts[i];
    judged[i].holm_p = adjusted[i];
    judged[i].holm_interval = model->estimate(c.weights, 1 - shares[i]).interval;
    judge(judged[i], margin);
  }
  return judged;
}

std::vector<JudgedContrast> judge_contrasts(const ArmModel& model,
                                            std::span<const Contrast> contrasts, double margin,
                                            double level) {
  std::vector<ContrastOf> family;
  family.reserve(contrasts.size());
  for (const Contrast& c : contrasts) family.push_back({&model, c});
  return judge_contrasts(family, margin, level);
}

bool order_holds(std::span<const JudgedContrast> by_labelling) {
  bool up = !by_labelling.empty(), down = up;
  for (const JudgedContrast& c : by_labelling) {
    const bool differs = c.resolution == Resolution::kDiffers;
    up = up && differs && c.holm_interval->low > 0;
    down = down && differs && c.holm_interval->high < 0;
  }
  return up || down;
}

}  // namespace keel
