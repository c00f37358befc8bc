// Frontiers against a scalar of the config, and their power laws.
#include <cmath>
#include <string_view>

#include "lab/search/analysis.h"
#include "lab/stats/censored_line.h"

namespace keel {
namespace {

// How far beyond the largest value measured a trend is still said to hold.
constexpr double kFurthest = 4;

struct Measured {
  double at = 0;
  LabelledArms labelled;
};

const std::vector<Observation>& by_seed(const ArmFrontier& f, std::string_view measure) {
  return measure == "training_frontier" ? f.training_by_seed : f.divergence_by_seed;
}

// frontier ~ at^exponent, by the values of all seeds.
std::optional<AxisTrend> trend_of(const SearchReport& report, size_t arm, const char* measure,
                                  const std::vector<Measured>& all) {
  const double direction = report.spec.direction();
  std::vector<LinePoint> points;
  AxisTrend trend;
  trend.arm = report.spec.arms[arm].name;
  trend.measure = measure;
  for (const Measured& m : all) {
    trend.most = std::max(trend.most, kFurthest * m.at);
    const std::optional<size_t> place = m.labelled.place(arm);
    if (!place || !m.labelled.frontiers) continue;
    for (const Observation& o : by_seed(m.labelled.frontiers->arms[*place], measure)) {
      const double low = direction * o.low, high = direction * o.high;
      points.push_back({std::log(m.at), std::min(low, high), std::max(low, high)});
    }
  }
  const std::optional<LineFit> fit = fit_censored_line(points, report.spec.level);
  if (!fit) return {};
  trend.exponent = fit->slope;
  trend.coefficient = std::exp(fit->intercept);
  if (std::isfinite(fit->slope_interval.low)) trend.low = fit->slope_interval.low;
  if (std::isfinite(fit->slope_interval.high)) trend.high = fit->slope_interval.high;
  return trend;
}

}  // namespace

void add_axis(const SearchReport& report, FrontierResult& result) {
  const FrontierSpec& spec = report.spec;
  if (spec.axis.empty()) return;
  std::vector<Measured> all;
  for (size_t i = 0; i < report.tables.size(); ++i) {
    all.push_back({spec.axis_values[i], label_arms(report, report.tables[i], Labelling::kStated)});
  }
  for (size_t arm = 0; arm < spec.arms.size(); ++arm) {
    for (const Measured& m : all) {
      const std::optional<size_t> place = m.labelled.place(arm);
      if (!place || !m.labelled.frontiers) continue;
      const ArmFrontier& f = m.labelled.frontiers->arms[*place];
      result.axis_points.push_back(
          {spec.arms[arm].name, m.at,
           training_value(f.training, f.training_of_mean, spec.direction()),
           divergence_value(f.divergence_of_all, spec.direction())});
    }
    for (const char* measure : {"training_frontier", "divergence_frontier"}) {
      if (const auto trend = trend_of(report, arm, measure, all)) {
        result.axis_trends.push_back(*trend);
      }
    }
  }
}

}  // namespace keel
