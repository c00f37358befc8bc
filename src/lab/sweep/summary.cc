#include "lab/sweep/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "core/error.h"
#include "lab/sweep/plan.h"
#include "lab/sweep/trial_run.h"
#include "lab/text.h"

namespace keel {
namespace {

// What a trial does to the mean of its values.
double loss_of(const TrialResult& r, const VerdictConfig& rule) {
  DivergenceRule diverged(run_shape(r), rule);
  for (const double loss : r.losses) diverged.add(loss);
  const bool lost =
      diverged.diverged() || r.ended != TrialEnd::kFinished || !std::isfinite(r.val_loss);
  const double first = r.losses.empty() ? r.val_loss : r.losses.front();
  return lost ? first : r.val_loss;
}

// What trials of all seeds have in common; an arm is everything but the rate.
std::string name_of_seeds(TrialPlan plan) {
  plan.seed = 0;
  return trial_name(plan);
}
std::string arm_of(TrialPlan plan) {
  std::erase_if(plan.values, [](const auto& v) { return v.first == "optim.lr"; });
  return name_of_seeds(std::move(plan));
}

// L* of each arm.
std::map<std::string, double> best_means(const std::vector<TrialRow>& rows,
                                         const VerdictConfig& rule) {
  struct Group {
    double sum = 0, n = 0;
  };
  std::map<std::string, std::map<std::string, Group>> arms;
  for (const TrialRow& row : rows) {
    if (!row.result) continue;
    Group& g = arms[arm_of(row.plan)][name_of_seeds(row.plan)];
    g.sum += loss_of(*row.result, rule);
    ++g.n;
  }
  std::map<std::string, double> best;
  for (const auto& [arm, groups] : arms) {
    double& lowest = best.emplace(arm, std::numeric_limits<double>::max()).first->second;
    for (const auto& [name, g] : groups) {
      if (std::isfinite(g.sum)) lowest = std::min(lowest, g.sum / g.n);
    }
  }
  return best;
}

std::string loss_text(double loss) {
  return std::isfinite(loss) ? fmt::format("{:.4f}", loss) : "-";
}

std::string verdict_text(const JudgedTrial& t) {
  if (!t.judged) {
    return t.row.error.empty() ? name_of(t.row.state)
                               : fmt::format("{}: {}", name_of(t.row.state), t.row.error);
  }
  std::string text = name_of(t.judged->verdict);
  if (t.judged->step) text += fmt::format(" at step {}", *t.judged->step);
  return text;
}

}  // namespace

std::vector<JudgedTrial> judge_trials(std::vector<TrialRow> rows, const VerdictConfig& rule) {
  const std::map<std::string, double> best = best_means(rows, rule);
  std::vector<JudgedTrial> out;
  for (TrialRow& row : rows) {
    JudgedTrial& t = out.emplace_back();
    if (row.result) {
      const TrialResult& r = *row.result;
      t.judged = judge_run(run_shape(r), r.losses, r.val_loss, best.at(arm_of(row.plan)), rule);
    }
    t.row = std::move(row);
  }
  return out;
}

int64_t diverged_in(const std::vector<JudgedTrial>& trials) {
  return std::count_if(trials.begin(), trials.end(), [](const JudgedTrial& t) {
    return t.judged && t.judged->verdict == RunVerdict::kDiverged;
  });
}

std::string trials_table(const std::vector<JudgedTrial>& trials) {
  if (trials.empty()) return "no trials\n";
  std::vector<TableColumn> columns;
  const auto& values = trials.front().row.plan.values;
  columns.reserve(values.size() + 3);
  for (const auto& [key, value] : values) columns.push_back({key, false});
  columns.insert(columns.end(), {{"seed"}, {"val loss"}, {"verdict", false}});
  std::vector<std::vector<std::string>> rows;
  for (const JudgedTrial& t : trials) {
    const TrialPlan& plan = t.row.plan;
    std::vector<std::string>& row = rows.emplace_back();
    // Trials of a list need not name the same keys.
    const bool same =
        std::equal(values.begin(), values.end(), plan.values.begin(), plan.values.end(),
                   [](const auto& a, const auto& b) { return a.first == b.first; });
    for (size_t i = 0; i < values.size(); ++i) {
      row.push_back(same ? plan.values[i].second : i == 0 ? trial_name(plan) : "");
    }
    row.push_back(std::to_string(plan.seed));
    row.push_back(t.row.result ? loss_text(t.row.result->val_loss) : "-");
    row.push_back(verdict_text(t));
  }
  return aligned_table(columns, rows);
}

Json counts_json(const TrialCounts& c, int64_t diverged) {
  Json j = Json::object();
  j.set("trials", c.trials).set("done", c.done).set("running", c.running).set("failed", c.failed);
  j.set("pending", c.pending).set("diverged", diverged).set("duplicates", c.duplicates);
  return j;
}

Json trials_json(const std::vector<JudgedTrial>& trials) {
  Json list = Json::array();
  for (const JudgedTrial& t : trials) {
    Json values = Json::object();
    for (const auto& [key, value] : t.row.plan.values) values.set(key, value);
    Json j = Json::object();
    j.set("id", t.row.plan.id).set("values", std::move(values)).set("seed", t.row.plan.seed);
    j.set("state", name_of(t.row.state)).set("attempts", t.row.attempts);
    j.set("error", t.row.error.empty() ? Json(nullptr) : Json(t.row.error));
    if (t.row.result) {
      const TrialResult& r = *t.row.result;
      j.set("val_loss", r.val_loss).set("verdict", name_of(t.judged->verdict));
      j.set("reason", t.judged->reason).set("ended", name_of(r.ended));
      j.set("step", t.judged->step ? Json(*t.judged->step) : Json(nullptr));
      j.set("steps_done", std::ssize(r.losses)).set("steps", r.steps).set("tokens", r.tokens);
      j.set("seconds", r.seconds).set("peak_bytes", r.peak_bytes);
    }
    list.push(std::move(j));
  }
  return list;
}

double seconds_left(TrialStore& store, const TrialCounts& counts, int64_t jobs) {
  const std::optional<double> mean = store.mean_seconds();
  if (!mean) return -1;
  // Those that run are half done, more or less.
  const double trials =
      static_cast<double>(counts.pending) + 0.5 * static_cast<double>(counts.running);
  return *mean * trials / static_cast<double>(std::max<int64_t>(jobs, 1));
}

std::string counts_text(const TrialCounts& c) {
  std::string text = fmt::format("{} of {} trials done, {} running", c.done, c.trials, c.running);
  if (c.failed > 0) text += fmt::format(", {} failed", c.failed);
  return text;
}

}  // namespace keel
