#include "lab/search/search.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <set>
#include <string>

#include "core/error.h"
#include "lab/sweep/trial_run.h"

namespace keel {
namespace {

// Limits are met in spite of rounding.
constexpr double kSlack = 1e-9;

// Values of the key that are tried, ascending, by their number k: start * ratio^k, to four digits
// or whole, so that they can be read.
class Grid {
 public:
  explicit Grid(const SearchOptions& o) : o_(o), values_{value(0)} {}

  const std::vector<double>& values() const { return values_; }
  // The next one on that side; none beyond a limit.
  std::optional<double> beyond(bool above) const {
    int64_t k = above ? high_ : low_;
    double v = 0;
    do {
      v = value(above ? ++k : --k);
      if (!allowed(v)) return {};
    } while (above ? v <= values_.back() : v >= values_.front());
    return v;
  }
  void grow(bool above) {
    const double v = beyond(above).value();
    int64_t& k = above ? high_ : low_;
    do {
      k += above ? 1 : -1;
    } while (value(k) != v);
    values_.insert(above ? values_.end() : values_.begin(), v);
  }
  double rounded(double v) const {
    return o_.whole ? std::round(v) : std::strtod(fmt::format("{:.4g}", v).c_str(), nullptr);
  }
  bool allowed(double v) const {
    return v > 0 && std::isfinite(v) && (o_.cap == 0 || v <= o_.cap * (1 + kSlack)) &&
           v >= o_.floor * (1 - kSlack);
  }
  bool has(double v) const { return std::binary_search(values_.begin(), values_.end(), v); }

 private:
  double value(int64_t k) const {
    return k == 0 ? o_.start : rounded(o_.start * std::pow(o_.ratio, static_cast<double>(k)));
  }

  const SearchOptions& o_;
  int64_t low_ = 0, high_ = 0;
  std::vector<double> values_;
};

class Search {
 public:
  Search(const SearchOptions& options, TrialSource& source)
      : o_(options), source_(source), grid_(options) {}

  Searched run() {
    std::vector<double> fresh = grid_.values();
    bool going = true;
    while (going) {
      std::vector<SearchedTrial> trials;
      for (const double v : fresh) add(trials, v, false);
      going = done(trials, o_.early_stop) && !(fresh = grow()).empty();
    }
    if (!out_.stopped) refine();
    if (!out_.stopped && o_.early_stop && o_.check_early_stop) check_early_stop();
    out_.grid = grid_.values();
    return std::move(out_);
  }

 private:
  void add(std::vector<SearchedTrial>& to, double value, bool refining) {
    for (size_t arm = 0; arm < o_.arms; ++arm) add(to, arm, value, refining);
  }
  void add(std::vector<SearchedTrial>& to, size_t arm, double value, bool refining) {
    for (const int64_t seed : o_.seeds) {
      SearchedTrial t{arm, value, seed, refining, {}};
      t.row.plan = source_.plan(arm, value, seed);
      to.push_back(std::move(t));
    }
  }

  // Runs them and fills in their rows; what was not run before a stop is dropped.
  bool complete(std::vector<SearchedTrial>& trials, bool early_stop) {
    std::vector<TrialPlan> plans;
    plans.reserve(trials.size());
    for (const SearchedTrial& t : trials) plans.push_back(t.row.plan);
    out_.stopped = !source_.run(plans, early_stop);
    std::vector<TrialRow> rows = source_.rows(plans);
    for (size_t i = 0; i < trials.size(); ++i) trials[i].row = std::move(rows[i]);
    std::erase_if(trials, [](const SearchedTrial& t) {
      return t.row.state != TrialState::kDone && t.row.state != TrialState::kFailed;
    });
    for (SearchedTrial& t : trials) label(t, o_.rule);
    return !out_.stopped;
  }
  bool done(std::vector<SearchedTrial>& trials, bool early_stop) {
    const bool all = complete(trials, early_stop);
    for (SearchedTrial& t : trials) out_.trials.push_back(std::move(t));
    return all;
  }

  // On the common grid, by the labels of the stated rule; none without a result.
  std::optional<ArmOutcomes> outcomes(size_t arm) const {
    const ArmTable table = table_of(out_.trials, arm, o_.direction).common();
    if (table.outcomes.empty()) return {};
    return table.labelled(o_.rule, Labelling::kStated);
  }

  // What fails under the widest margin fails under the others: orders are looked at under each.
  bool fails_under_all(size_t arm) const {
    const ArmTable table = table_of(out_.trials, arm, o_.direction).common();
    return table.labelled(o_.rule, Labelling::kWide).fails_somewhere();
  }

  // Whether every trial of the arm at the grid's end failed by itself: further out they would too.
  bool nothing_at_end(size_t arm, bool above) const {
    const double end = above ? grid_.values().back() : grid_.values().front();
    return std::none_of(out_.trials.begin(), out_.trials.end(), [&](const SearchedTrial& t) {
      return t.arm == arm && t.value == end && t.row.result;
    });
  }

  // The values that are to be run next; none where the grid is as it shall be.
  std::vector<double> grow() {
    const bool up = o_.direction > 0;
    int64_t failing = 0, other = 0;
    for (size_t arm = 0; arm < o_.arms; ++arm) {
      const std::optional<ArmOutcomes> o = outcomes(arm);
      if (!o) continue;
      const bool best_is_last = o->best_rate() + 1 == o->log_rates().size();
      const bool wants_failure = best_is_last || !fails_under_all(arm);
      failing += wants_failure && !nothing_at_end(arm, up) ? 1 : 0;
      other += o->best_rate() == 0 && !nothing_at_end(arm, !up) ? 1 : 0;
    }
    int64_t room = o_.max_rates - std::ssize(grid_.values());
    out_.failing_side = end_of(failing, up, room);
    out_.other_side = end_of(other, !up, room);
    std::vector<double> fresh;
    const auto take = [&](bool above) {
      fresh.push_back(grid_.beyond(above).value());
      grid_.grow(above);
      --room;
    };
    const bool can_fail = failing > 0 && out_.failing_side == GridEnd::kSatisfied;
    const bool can_other = other > 0 && out_.other_side == GridEnd::kSatisfied;
    // With room for one only, the side that more arms are waiting for.
    if (can_fail && (room > 1 || !can_other || failing >= other)) take(up);
    if (can_other && room > 0) take(!up);
    return fresh;
  }
  GridEnd end_of(int64_t wanted, bool above, int64_t room) {
    if (wanted == 0) return GridEnd::kSatisfied;
    const std::optional<double> next = grid_.beyond(above);
    if (!next) return above ? GridEnd::kCap : GridEnd::kFloor;
    if (room <= 0) return GridEnd::kMaxRates;
    const std::string refusal = source_.refusal(*next);
    if (refusal.empty()) return GridEnd::kSatisfied;
    out_.refusal = refusal;
    return GridEnd::kRefused;
  }

  // Only where there is room for both rates: one alone would pull the crossing to its side.
  void refine() {
    if (o_.max_rates - std::ssize(grid_.values()) < 2) return;
    std::vector<SearchedTrial> trials;
    for (size_t arm = 0; arm < o_.arms; ++arm) {
      const std::optional<ArmOutcomes> o = outcomes(arm);
      if (!o) continue;
      std::set<double> taken;
      for (const double log_rate : refining_rates(*o)) {
        const double v = grid_.rounded(std::exp(o_.direction * log_rate));
        if (grid_.has(v) || !grid_.allowed(v) || !taken.insert(v).second) continue;
        if (!source_.refusal(v).empty()) continue;
        add(trials, arm, v, true);
      }
    }
    if (!trials.empty()) done(trials, o_.early_stop);
  }

  void check_early_stop() {
    for (size_t arm = 0; arm < o_.arms; ++arm) {
      const ArmTable table = table_of(out_.trials, arm, o_.direction);
      if (table.outcomes.empty()) continue;
      const Observation frontier =
          mean_training_crossing(table.labelled(o_.rule, Labelling::kStated), 0);
      if (!frontier.exact()) continue;
      for (const SearchedTrial& t : out_.trials) {
        const double away = std::abs(o_.direction * std::log(t.value) - frontier.low);
        const bool stopped = t.row.result && t.row.result->ended == TrialEnd::kStoppedEarly;
        if (t.arm != arm || !stopped || away > std::log(kEarlyStopFactor) + kSlack) continue;
        SearchedTrial twin = t;
        twin.row = {};
        twin.row.plan = t.row.plan;
        twin.row.plan.id += "-full";
        twin.row.plan.values.emplace_back("early_stop", "off");
        out_.twins.push_back(std::move(twin));
      }
    }
    if (!out_.twins.empty()) complete(out_.twins, false);
  }

  const SearchOptions& o_;
  TrialSource& source_;
  Grid grid_;
  Searched out_;
};

}  // namespace

ArmTable ArmTable::common() const {
  ArmTable table = *this;
  std::erase_if(table.outcomes, [](const Outcome& o) { return o.refining; });
  return table;
}

void label(SearchedTrial& trial, const VerdictConfig& rule) {
  if (!trial.row.result) return;
  const TrialResult& r = *trial.row.result;
  for (size_t l = 0; l < kLabellings; ++l) {
    // L* decides between the two other verdicts alone.
    const VerdictConfig labelled = rule.labelled(static_cast<Labelling>(l));
    const JudgedRun judged = judge_run(run_shape(r), r.losses, r.val_loss, 0, labelled);
    trial.diverged[l] = judged.verdict == RunVerdict::kDiverged;
  }
}

ArmTable table_of(const std::vector<SearchedTrial>& trials, size_t arm, double direction) {
  ArmTable table;
  double first = 0, count = 0;
  for (const SearchedTrial& t : trials) {
    if (t.arm != arm || !t.row.result) continue;
    const TrialResult& r = *t.row.result;
    table.outcomes.push_back(
        {direction * std::log(t.value), t.seed, r.val_loss, t.diverged, t.refining});
    table.scale.unigram_entropy = run_shape(r).unigram_entropy;
    if (r.losses.empty() || !std::isfinite(r.losses[0])) continue;
    first += r.losses[0];
    ++count;
  }
  // Runs without any finite loss did not get worse than a model that ignores its context.
  table.scale.initial_loss = count > 0 ? first / count : table.scale.unigram_entropy;
  return table;
}

Searched search_frontiers(const SearchOptions& options, TrialSource& source) {
  if (options.arms == 0 || options.seeds.empty() || options.start <= 0) {
    throw DataError("frontier: a search needs an arm, a seed and a start above 0");
  }
  return Search(options, source).run();
}

}  // namespace keel
