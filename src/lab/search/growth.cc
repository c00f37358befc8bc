// The growth of logits and of outputs' norms in one run, over its layers.
#include <algorithm>
#include <map>
#include <string_view>

#include "lab/search/analysis.h"
#include "train/metric_names.h"

namespace keel {
namespace {

struct Sum {
  double largest = 0, total = 0, count = 0;
};

// The name of what a group's series become, or "" for those that are not shown.
std::string shown_name(std::string_view group) {
  constexpr std::string_view kNorms = "out_norm_";
  if (group == metric_name::kLogitMaxGroup) return std::string(group);
  if (group.starts_with(kNorms)) return "out_norm/" + std::string(group.substr(kNorms.size()));
  return "";
}

}  // namespace

GrowthRun growth_of(const SearchedTrial& trial, const std::string& verdict) {
  GrowthRun run;
  run.id = trial.row.plan.id;
  run.rate = trial.value;
  run.seed = trial.seed;
  run.verdict = verdict;
  std::map<std::string, std::map<int64_t, Sum>> sums;
  for (const auto& [name, series] : trial.row.result->series) {
    const size_t slash = name.find('/');
    const std::string shown = shown_name(std::string_view(name).substr(0, slash));
    if (slash == std::string::npos || shown.empty()) continue;
    for (size_t i = 0; i < series.steps.size(); ++i) {
      Sum& s = sums[shown][series.steps[i]];
      s.largest = s.count == 0 ? series.values[i] : std::max(s.largest, series.values[i]);
      s.total += series.values[i];
      ++s.count;
    }
  }
  for (const auto& [name, by_step] : sums) {
    TrialSeries& out = run.series[name];
    for (const auto& [step, s] : by_step) {
      out.steps.push_back(step);
      out.values.push_back(name == metric_name::kLogitMaxGroup ? s.largest : s.total / s.count);
    }
  }
  return run;
}

}  // namespace keel
