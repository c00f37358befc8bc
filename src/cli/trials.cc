#include "cli/trials.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <map>

#include "cli/output.h"
#include "cli/progress.h"
#include "cli/rig.h"
#include "config/print.h"
#include "core/clock.h"
#include "core/error.h"
#include "io/fs.h"
#include "io/utf8.h"
#include "lab/stats/summary.h"
#include "lab/sweep/plan.h"
#include "lab/sweep/summary.h"
#include "lab/text.h"
#include "train/batch_ramp.h"
#include "train/run_dir.h"

namespace keel {
namespace {

constexpr double kRedrawSeconds = 0.5;
constexpr size_t kMostShown = 16;  // running trials on the screen

bool is_over(TrialState s) { return s == TrialState::kDone || s == TrialState::kFailed; }

// Work of a trial's training steps, without its evaluations.
double flops_of(const RunConfig& config, const Plan& plan) {
  const int64_t tokens =
      BatchRamp(config).sequences_before(config.train.steps) * config.model.context;
  return plan.flops(config.train.steps, tokens);
}

}  // namespace

std::string default_out(const std::string& file) {
  const std::string name = base_name(file);
  return join_path("sweeps", name.substr(0, name.rfind('.')));
}

void make_out_folder(const std::string& out) {
  Fs& fs = real_fs();
  if (fs.exists(out) && !fs.is_dir(out)) {
    throw ConfigError(fmt::format("--out: {} is no folder", out));
  }
  if (fs.exists(out) && !fs.exists(join_path(out, "sweep.db")) && !fs.list(out).empty()) {
    throw ConfigError(fmt::format(
        "--out: {} holds something that is no sweep; name a folder that is empty or new", out));
  }
  fs.make_dirs(out);
}

double measured_seconds(const TrialSetup& setup, const std::vector<TrialPlan>& trials) {
  constexpr int64_t kDiscarded = 2, kMeasured = 5;
  const TrialPlan& first = trials.front();
  Rig rig = open_rig(plan_config(setup.base, first.sets));
  const RunConfig& c = rig.planned.config;
  const double step = quantile(seconds_of(measure_steps(*rig.trainer, kDiscarded, kMeasured)), 0.5);
  const int64_t tokens = BatchRamp(c).sequences_before(1) * c.model.context;
  const double per_flop = step / rig.planned.plan.flops(1, tokens);
  std::map<std::string, double> known;  // work by what it depends on
  double seconds = 0;
  for (const TrialPlan& trial : trials) {
    RunConfig config = config_of(setup, trial);
    if (config.model.vocab == 0) config.model.vocab = c.model.vocab;
    std::string shape;
    for (const KeyValue& kv : flatten(config)) {
      if (kv.key != "train.seed" && kv.key != "optim.lr") shape += kv.key + "=" + kv.value + "\n";
    }
    const auto [work, is_new] = known.emplace(shape, 0);
    if (is_new) work->second = flops_of(config, make_plan(config, rig.planned.compute));
    seconds += work->second * per_flop;
  }
  return seconds;
}

TrialScreen::TrialScreen(TrialStore& store, int64_t jobs)
    : store_(store), jobs_(jobs), options_(progress_options(stderr, false, 1)) {
  for (const TrialRow& row : store_.rows(false)) {
    if (is_over(row.state)) seen_.insert(row.plan.id);
  }
}

void TrialScreen::show(const TrialCounts& counts) {
  const bool changed = counts.done + counts.failed != over_ || counts.running != running_;
  if (!changed && (!options_.live || seconds_now() - drawn_at_ < kRedrawSeconds)) return;
  over_ = counts.done + counts.failed;
  running_ = counts.running;
  drawn_at_ = seconds_now();
  const std::vector<TrialRow> rows = store_.rows(false);
  clear();
  const std::string left = short_duration(seconds_left(store_, counts, jobs_));
  for (const TrialRow& row : rows) {
    if (!is_over(row.state) || !seen_.insert(row.plan.id).second) continue;
    say(fmt::format("{}{} [{}/{}, left {}]", trial_name(row.plan), ending_of(row), seen_.size(),
                    counts.trials, left));
  }
  if (options_.live) draw(rows, counts, left);
}

void TrialScreen::clear() {
  if (lines_ > 0) std::fprintf(stderr, "\x1b[%zuA\x1b[J", lines_);
  lines_ = 0;
}

std::string TrialScreen::ending_of(const TrialRow& row) {
  if (row.state == TrialState::kFailed) return ": failed: " + row.error;
  const std::optional<TrialRow> whole = store_.row(row.plan.id);
  if (!whole || !whole->result) return ": done";
  const TrialResult& r = *whole->result;
  return fmt::format(": {}{}, {:.1f} s", name_of(r.ended),
                     std::isfinite(r.val_loss) ? fmt::format(", val loss {:.4f}", r.val_loss) : "",
                     r.seconds);
}

void TrialScreen::draw(const std::vector<TrialRow>& rows, const TrialCounts& counts,
                       const std::string& left) {
  put(fmt::format("{}, left {}", counts_text(counts), left));
  for (const TrialRow& row : rows) {
    if (row.state != TrialState::kRunning || lines_ > kMostShown) continue;
    put("  running: " + trial_name(row.plan));
  }
}

void TrialScreen::put(const std::string& line) {
  // Two columns less: a whole line would wrap, and the ellipsis needs one.
  say(options_.columns > 2 ? shortened(line, static_cast<size_t>(options_.columns) - 2) : line);
  ++lines_;
}

}  // namespace keel
