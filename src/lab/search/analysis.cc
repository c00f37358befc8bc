#include "lab/search/analysis.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <set>

#include "config/text.h"
#include "core/error.h"
#include "lab/stats/summary.h"
#include "lab/sweep/trial_run.h"

namespace keel {
namespace {

FrontierValue value_of(double log_value, Censored censored, double direction) {
  FrontierValue v;
  v.value = value_of_log(log_value, direction);
  if (censored == Censored::kRight) v.censored = direction > 0 ? "right" : "left";
  if (censored == Censored::kLeft) v.censored = direction > 0 ? "left" : "right";
  return v;
}

// A bound, or the middle of an interval.
FrontierValue value_of(const Observation& o, double direction) {
  if (std::isinf(o.high)) return value_of(o.low, Censored::kRight, direction);
  if (std::isinf(o.low)) return value_of(o.high, Censored::kLeft, direction);
  return value_of((o.low + o.high) / 2, Censored::kNone, direction);
}

void set_ends(FrontierValue& v, double log_low, double log_high, double direction) {
  if (std::isfinite(log_low)) v.low = value_of_log(log_low, direction);
  if (std::isfinite(log_high)) v.high = value_of_log(log_high, direction);
  if (direction < 0) std::swap(v.low, v.high);
}

// What one arm of the file comes to.
class ArmAnalysis {
 public:
  ArmAnalysis(const SearchReport& report, const Searched& searched, const LabelledArms& labelled,
              size_t arm)
      : spec_(report.spec), labelled_(labelled), arm_(arm) {
    for (const SearchedTrial& t : searched.trials) {
      if (t.arm == arm && t.row.result) trials_.push_back(&t);
    }
    result_.name = spec_.arms[arm].name;
    result_.sets = report.arms[arm].sets;
    const std::map<std::string, double> published = spec_.published_values();
    const auto it = published.find(result_.name);
    if (it != published.end()) result_.published = it->second;
  }

  ArmResult run() {
    const std::optional<size_t> place = labelled_.place(arm_);
    if (!place) return std::move(result_);
    const ArmOutcomes& all = labelled_.all[*place];
    result_.seeds = std::ssize(all.seeds());
    add_best(labelled_.common[*place]);
    add_frontiers(labelled_.frontiers.value().arms[*place], all);
    add_rates(all);
    add_trials(all);
    add_costs();
    add_growth(all);
    return std::move(result_);
  }

 private:
  double value_of(double log_rate) const { return std::exp(spec_.direction() * log_rate); }
  // The value that a trial was run at, from the logarithm that stands for it.
  double run_at(double log_rate) const {
    for (const SearchedTrial* t : trials_) {
      if (log_of(*t) == log_rate) return t->value;
    }
    return value_of(log_rate);
  }
  double log_of(const SearchedTrial& t) const { return spec_.direction() * std::log(t.value); }

  void add_best(const ArmOutcomes& common) {
    if (!common.trains_somewhere()) return;
    result_.best_lr = run_at(common.log_rates()[common.best_rate()]);
    const std::optional<BestRateScore> score = score_best_rate(common);
    if (score) result_.best_loss = score->mean_loss;
    if (!score && common.seeds().size() == 1) result_.best_loss = common.best_loss();
    try {
      const std::vector<double>& rates = common.log_rates();
      result_.sensitivity = mean(lr_sensitivity(common, rates.front(), rates.back()));
    } catch (const DataError&) {  // a trial of the grid failed by itself
    }
  }

  void add_frontiers(const ArmFrontier& f, const ArmOutcomes& all) {
    const double direction = spec_.direction();
    result_.training_frontier = training_value(f.training, f.training_of_mean, direction);
    result_.divergence_frontier = divergence_value(f.divergence_of_all, direction);
    const bool below_grid = !all.trains_somewhere();
    if (below_grid || !result_.best_lr || !result_.training_frontier.value) return;
    const double factor = *result_.training_frontier.value / *result_.best_lr;
    result_.headroom = direction > 0 ? factor : 1 / factor;
  }

  void add_rates(const ArmOutcomes& all) {
    for (const RateSummary& r : all.summary()) {
      result_.rates.push_back({run_at(r.log_rate), static_cast<int64_t>(r.seeds), r.mean_loss,
                               r.share_diverged, r.share_not_training});
    }
    const auto by_rate = [](const ArmRate& a, const ArmRate& b) { return a.rate < b.rate; };
    std::sort(result_.rates.begin(), result_.rates.end(), by_rate);
  }

  JudgedRun judged(const SearchedTrial& t, const ArmOutcomes& all) const {
    const TrialResult& r = *t.row.result;
    return judge_run(run_shape(r), r.losses, r.val_loss, all.best_loss(), spec_.rule);
  }

  void add_trials(const ArmOutcomes& all) {
    for (const SearchedTrial* t : trials_) {
      const JudgedRun run = judged(*t, all);
      ArmTrial trial;
      trial.id = t->row.plan.id;
      trial.rate = t->value;
      trial.seed = t->seed;
      const bool lost = run.verdict == RunVerdict::kDiverged;
      trial.loss = lost ? all.scale().initial_loss : t->row.result->val_loss;
      trial.verdict = name_of(run.verdict);
      trial.reason = run.reason;
      trial.step = run.step;
      trial.stopped_early = t->row.result->ended == TrialEnd::kStoppedEarly;
      result_.trials.push_back(std::move(trial));
    }
    std::sort(result_.trials.begin(), result_.trials.end(),
              [](const ArmTrial& a, const ArmTrial& b) {
                return std::pair(a.rate, a.seed) < std::pair(b.rate, b.seed);
              });
  }

  // Of a number that every trial may have, by some rule over those that do.
  std::optional<double> number(const char* name) const {
    std::vector<double> values;
    for (const SearchedTrial* t : trials_) {
      const auto it = t->row.result->numbers.find(name);
      if (it != t->row.result->numbers.end()) values.push_back(it->second);
    }
    if (values.empty()) return {};
    return mean(values);
  }

  void add_costs() {
    std::vector<double> seconds, bytes;
    for (const SearchedTrial* t : trials_) {
      const TrialResult& r = *t->row.result;
      if (r.step_seconds > 0) seconds.push_back(r.step_seconds);
      if (r.peak_bytes > 0) bytes.push_back(static_cast<double>(r.peak_bytes));
    }
    if (!seconds.empty()) result_.step_seconds = median(seconds);
    if (!bytes.empty()) result_.peak_bytes = median(bytes);
    result_.logit_rms = number("attn_logit_rms_at_init");
    result_.branch_rms = number("attention_rms_at_init");
    add_update_ratio();
  }

  // Where the warm-up ends.
  static std::optional<double> update_ratio_of(const TrialResult& r) {
    const auto it = r.series.find("update_ratio/all");
    if (it == r.series.end()) return {};
    const TrialSeries& s = it->second;
    for (size_t i = 0; i < s.steps.size(); ++i) {
      if (s.steps[i] >= run_shape(r).warmup_steps && std::isfinite(s.values[i])) return s.values[i];
    }
    return {};
  }

  void add_update_ratio() {
    if (!result_.training_frontier.value || !result_.best_lr) return;
    const double frontier = spec_.direction() * std::log(*result_.training_frontier.value);
    std::optional<double> at;
    for (const SearchedTrial* t : trials_) {
      if (log_of(*t) <= frontier + 1e-9 && (!at || log_of(*t) > *at)) at = log_of(*t);
    }
    std::vector<double> ratios;
    for (const SearchedTrial* t : trials_) {
      const std::optional<double> ratio = update_ratio_of(*t->row.result);
      if (at && log_of(*t) == *at && ratio) ratios.push_back(*ratio);
    }
    if (!ratios.empty()) result_.update_ratio = mean(ratios);
  }

  // A run at the best rate that trains, and the first one beyond it that does not.
  void add_growth(const ArmOutcomes& all) {
    const double best = all.log_rates()[all.best_rate()];
    const SearchedTrial *healthy = nullptr, *failing = nullptr;
    for (const SearchedTrial* t : trials_) {
      if (t->row.result->series.empty()) continue;
      const bool trains = judged(*t, all).verdict == RunVerdict::kTrains;
      if (trains && log_of(*t) == best && !healthy) healthy = t;
      const bool beyond = !trains && log_of(*t) >= best;
      if (beyond && (!failing || log_of(*t) < log_of(*failing))) failing = t;
    }
    if (healthy) result_.healthy = growth_of(*healthy, name_of(RunVerdict::kTrains));
    if (failing) result_.failing = growth_of(*failing, name_of(judged(*failing, all).verdict));
  }

  const FrontierSpec& spec_;
  const LabelledArms& labelled_;
  size_t arm_;
  std::vector<const SearchedTrial*> trials_;
  ArmResult result_;
};

// Names of the arms, the one that goes furthest first; those without a frontier last.
std::vector<std::string> ranking(const SearchReport& report, const LabelledArms& labelled) {
  std::vector<std::pair<double, std::string>> order;
  for (size_t i = 0; i < labelled.arms.size(); ++i) {
    const ArmFrontier& f = labelled.frontiers->arms[i];
    const double value = training_value(f.training, f.training_of_mean, 1).value.value_or(0);
    order.emplace_back(value, report.spec.arms[labelled.arms[i]].name);
  }
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<std::string> names;
  names.reserve(order.size());
  for (const auto& entry : order) names.push_back(entry.second);
  return names;
}

// How the runs that were stopped near a frontier went on, arm by arm.
void check_early_stops(const SearchReport& report, FrontierResult& result) {
  for (const Searched& searched : report.tables) {
    for (const SearchedTrial& t : searched.twins) {
      if (!t.row.result) continue;
      ArmResult& a = result.arms[t.arm];
      ++a.early_stops_checked;
      // The stopped run is labelled diverged under every labelling.
      a.early_stops_right += t.diverged[static_cast<size_t>(Labelling::kStated)] ? 1 : 0;
    }
  }
  double checked = 0, right = 0;
  constexpr double kLeastAgreement = 0.98;
  for (const ArmResult& a : result.arms) {
    checked += static_cast<double>(a.early_stops_checked);
    right += static_cast<double>(a.early_stops_right);
    const double least = kLeastAgreement * static_cast<double>(a.early_stops_checked);
    if (static_cast<double>(a.early_stops_right) >= least) continue;
    result.notes.push_back(fmt::format(
        "Early stop: of {} runs of {} that were stopped near the frontier {} would not have "
        "diverged by their end.",
        a.early_stops_checked, a.name, a.early_stops_checked - a.early_stops_right));
  }
  if (checked > 0) result.early_stop_agreement = right / checked;
}

void add_early_stop(const SearchReport& report, FrontierResult& result) {
  struct Steps {
    double done = 0, planned = 0;
  };
  Steps all;
  std::vector<Steps> by_arm(result.arms.size());
  for (const Searched& searched : report.tables) {
    for (const SearchedTrial& t : searched.trials) {
      if (!t.row.result) continue;
      for (Steps* s : {&all, &by_arm[t.arm]}) {
        s->done += static_cast<double>(t.row.result->losses.size());
        s->planned += static_cast<double>(t.row.result->steps);
      }
    }
  }
  if (!report.spec.early_stop || all.planned == 0) return;
  result.early_stop_saving = 1 - all.done / all.planned;
  for (size_t i = 0; i < by_arm.size(); ++i) {
    const Steps& s = by_arm[i];
    if (s.planned > 0) result.arms[i].early_stop_saving = 1 - s.done / s.planned;
  }
  check_early_stops(report, result);
}

void check_regime(const SearchReport& report, FrontierResult& result) {
  const RegimeSpec& regime = report.spec.regime;
  std::vector<std::string> reasons;
  if (regime.below_bigram > 0) {
    std::optional<double> best;
    for (const ArmResult& a : result.arms) {
      if (a.best_loss && (!best || *a.best_loss < *best)) best = a.best_loss;
    }
    if (!report.bigram_entropy) {
      reasons.emplace_back("the bigram entropy of the data is not known");
    } else if (!best || *best > *report.bigram_entropy - regime.below_bigram) {
      reasons.push_back(
          fmt::format("the best arm's loss {} is not {} nats below the bigram entropy {:.4f}",
                      best ? fmt::format("{:.4f}", *best) : "(none)", plain(regime.below_bigram),
                      *report.bigram_entropy));
    }
  }
  for (const ArmResult& a : result.arms) {
    if (a.name != regime.fails) continue;
    const std::string& beyond = report.spec.direction() > 0 ? "right" : "left";
    if (!a.training_frontier.value || a.training_frontier.censored == beyond) {
      reasons.push_back(a.name + " does not fail inside the grid");
    }
  }
  if (reasons.empty()) return;
  result.regime = fmt::format("not a test of the claim: {}", fmt::join(reasons, "; "));
  for (ContrastResult& c : result.contrasts) {
    if (!c.claim.empty()) c.claim = "not resolved";
  }
}

std::string why(GridEnd end, const FrontierSpec& spec, const Searched& searched) {
  switch (end) {
    case GridEnd::kRefused:
      return fmt::format("what a config may be ({})", searched.refusal);
    case GridEnd::kCap:
      return fmt::format("cap = {}", plain(spec.cap));
    case GridEnd::kFloor:
      return spec.floor > 0 ? fmt::format("floor = {}", plain(spec.floor)) : "the least value";
    case GridEnd::kMaxRates:
      return fmt::format("max_rates = {}", spec.max_rates);
    case GridEnd::kSatisfied:
      return "the other arms' being satisfied";
  }
  return "";
}

// Whether a seed fails at the best value or beyond it.
bool fails_in_some(const ArmResult& a, bool up) {
  return std::any_of(a.rates.begin(), a.rates.end(), [&](const ArmRate& r) {
    const bool beyond = up ? r.rate >= a.best_lr : r.rate <= a.best_lr;
    return beyond && r.share_diverged + r.share_not_training > 0;
  });
}

// The nearest value beyond those with a result at which trials of the arm failed by themselves.
std::optional<double> failed_beyond(const Searched& searched, size_t arm, const ArmResult& a,
                                    bool up) {
  std::optional<double> nearest;
  for (const SearchedTrial& t : searched.trials) {
    const bool beyond = up ? t.value > a.rates.back().rate : t.value < a.rates.front().rate;
    if (t.arm != arm || t.row.result || !beyond) continue;
    if (!nearest || (up ? t.value < *nearest : t.value > *nearest)) nearest = t.value;
  }
  return nearest;
}

// Of an arm whose frontier is beyond what was tried.
std::string unbounded_note(const FrontierSpec& spec, const Searched& searched, size_t arm,
                           const ArmResult& a) {
  const bool up = spec.direction() > 0;
  const bool some_fail = fails_in_some(a, up);
  const std::optional<double> failed = failed_beyond(searched, arm, a, up);
  const std::string end =
      failed ? fmt::format("all trials at {} failed by themselves", plain(*failed))
             : fmt::format("the grid ended by {}", why(searched.failing_side, spec, searched));
  return fmt::format(
      "{} {} up to {} = {}; {}: {}.", a.name,
      some_fail ? "fails with too few seeds to say where" : "never fails", spec.key,
      plain(up ? a.rates.back().rate : a.rates.front().rate), end,
      some_fail ? "the bound is that of those that train" : "stable at least so far");
}

// What is to be said of each arm in plain words.
void add_arm_notes(const SearchReport& report, const Searched& searched, FrontierResult& result) {
  const FrontierSpec& spec = report.spec;
  const bool up = spec.direction() > 0;
  for (size_t arm = 0; arm < result.arms.size(); ++arm) {
    const ArmResult& a = result.arms[arm];
    const FrontierValue& f = a.training_frontier;
    if (a.seeds == 0) {
      result.notes.push_back(a.name + ": no trial has a result.");
      continue;
    }
    if (!a.best_lr) {
      result.notes.push_back(fmt::format(
          "{} fails at every {} that was tried, from {} to {}: its frontier is {} {}.", a.name,
          spec.key, plain(a.rates.front().rate), plain(a.rates.back().rate), up ? "below" : "above",
          plain(up ? a.rates.front().rate : a.rates.back().rate)));
    } else if (f.censored == (up ? "right" : "left")) {
      result.notes.push_back(unbounded_note(spec, searched, arm, a));
    } else if (f.ill_determined) {
      result.notes.push_back(a.name +
                             ": the training frontier is ill-determined, its standard error is "
                             "above a factor 1.5.");
    }
    const double edge = up ? searched.grid.front() : searched.grid.back();
    if (a.best_lr && *a.best_lr == edge) {
      result.notes.push_back(fmt::format(
          "{}: the best {} is the {} that was tried, {}; the grid ended by {}.", a.name, spec.key,
          up ? "smallest" : "largest", plain(edge), why(searched.other_side, spec, searched)));
    }
  }
}

void add_scale_notes(const SearchReport& report, FrontierResult& result) {
  std::set<std::string> seen;
  for (const ContrastSpec& c : report.spec.contrast_list()) {
    const std::string &a = report.arms[c.a].scale, &b = report.arms[c.b].scale;
    if (a == b || !seen.insert(c.name).second) continue;
    result.notes.push_back(fmt::format(
        "{}: rates of different optimizers or parametrisations ({}; {}) are not compared.", c.name,
        a, b));
  }
}

// Whether every seed of every arm came to the very same losses.
bool seeds_are_one(const FrontierResult& result) {
  bool several = false;
  for (const ArmResult& a : result.arms) {
    for (size_t i = 1; i < a.trials.size(); ++i) {
      if (a.trials[i].rate != a.trials[i - 1].rate) continue;
      if (a.trials[i].loss != a.trials[i - 1].loss) return false;
      several = true;
    }
  }
  return several;
}

void add_notes(const SearchReport& report, const Searched& searched, FrontierResult& result) {
  if (report.spec.seed_list().size() < 2) {
    result.notes.emplace_back(
        "Fewer than two seeds: there are no intervals, and nothing can be said to differ.");
  }
  if (seeds_are_one(result)) {
    result.notes.emplace_back(
        "All seeds came to the same losses, so that they say nothing of how sure this is: does the "
        "trainer use its seed?");
  }
  add_arm_notes(report, searched, result);
  add_scale_notes(report, result);
  if (result.failed > 0) {
    result.notes.push_back(
        fmt::format("{} of {} trials failed by themselves and are not in the figures.",
                    result.failed, result.trials));
  }
  result.notes.insert(result.notes.end(), report.notes.begin(), report.notes.end());
}

void count_trials(const SearchReport& report, FrontierResult& result) {
  for (const Searched& searched : report.tables) {
    for (const auto* list : {&searched.trials, &searched.twins}) {
      for (const SearchedTrial& t : *list) {
        ++result.trials;
        result.failed += t.row.state == TrialState::kFailed ? 1 : 0;
        if (t.row.result) result.seconds += t.row.result->seconds;
      }
    }
  }
}

FrontierResult start_result(const SearchReport& report) {
  FrontierResult result;
  const FrontierSpec& spec = report.spec;
  result.title = spec.title;
  result.key = spec.key;
  result.above = spec.direction() > 0;
  result.ratio = spec.ratio;
  result.level = spec.level;
  result.rule = spec.rule;
  result.bigram_entropy = report.bigram_entropy;
  result.conditions = report.conditions;
  result.axis = spec.axis;
  result.held_fixed = report.held_fixed;
  result.published_label = spec.published_label;
  result.commands = report.commands;
  result.versions = report.versions;
  return result;
}

}  // namespace

std::optional<size_t> LabelledArms::place(size_t arm) const {
  const auto it = std::find(arms.begin(), arms.end(), arm);
  if (it == arms.end()) return {};
  return it - arms.begin();
}

LabelledArms label_arms(const SearchReport& report, const Searched& searched, Labelling labelling) {
  LabelledArms out;
  const FrontierSpec& spec = report.spec;
  for (size_t arm = 0; arm < spec.arms.size(); ++arm) {
    const ArmTable table = table_of(searched.trials, arm, spec.direction());
    const ArmTable common = table.common();
    if (common.outcomes.empty()) continue;
    out.arms.push_back(arm);
    out.all.push_back(table.labelled(spec.rule, labelling));
    out.common.push_back(common.labelled(spec.rule, labelling));
  }
  if (out.arms.empty()) return out;
  try {
    out.frontiers = find_frontiers(out.all, spec.level);
  } catch (const DataError& e) {
    out.problem = e.what();
  }
  return out;
}

double value_of_log(double log_value, double direction) {
  return std::strtod(fmt::format("{:.12g}", std::exp(direction * log_value)).c_str(), nullptr);
}

FrontierValue training_value(const Estimate& estimate, const Observation& of_mean,
                             double direction) {
  // A bound is one of all seeds. Where too few are exact for a fit, the model gives that of the
  // others.
  const bool of_some = (estimate.censored == Censored::kRight && !std::isinf(of_mean.high)) ||
                       (estimate.censored == Censored::kLeft && !std::isinf(of_mean.low));
  // Too little for the model: what the mean of the seeds says.
  if (std::isnan(estimate.value) || of_some) {
    FrontierValue v = value_of(of_mean, direction);
    v.ill_determined = of_some;
    return v;
  }
  FrontierValue v = value_of(estimate.value, estimate.censored, direction);
  if (estimate.interval) {
    set_ends(v, estimate.interval->low, estimate.interval->high, direction);
    v.ill_determined = ill_determined(estimate);
  }
  return v;
}

FrontierValue divergence_value(const Observation& of_all, double direction) {
  FrontierValue v = value_of(of_all, direction);
  set_ends(v, of_all.low, of_all.high, direction);
  return v;
}

FrontierResult analyse(const SearchReport& report) {
  FrontierResult result = start_result(report);
  count_trials(report, result);
  const Searched& searched = report.tables.at(0);
  std::vector<LabelledArms> by_labelling;
  for (const Labelling l : {Labelling::kStated, Labelling::kNarrow, Labelling::kWide}) {
    by_labelling.push_back(label_arms(report, searched, l));
  }
  const LabelledArms& stated = by_labelling[0];
  if (!stated.frontiers && !stated.arms.empty()) throw DataError(stated.problem);
  if (!stated.all.empty()) result.unigram_entropy = stated.all[0].scale().unigram_entropy;
  for (size_t arm = 0; arm < report.spec.arms.size(); ++arm) {
    result.arms.push_back(ArmAnalysis(report, searched, stated, arm).run());
  }
  result.contrasts = judge_all_contrasts(report, by_labelling);
  for (const LabelledArms& labelled : by_labelling) {
    if (labelled.frontiers) result.rankings.push_back(ranking(report, labelled));
  }
  add_early_stop(report, result);
  check_regime(report, result);
  add_notes(report, searched, result);
  add_axis(report, result);
  return result;
}

}  // namespace keel
