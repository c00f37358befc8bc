// keel sweep and what belongs to it. The trials are run by processes of this program, keel
// sweep-worker.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "cli/commands.h"
#include "cli/hand_over.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/rig.h"
#include "cli/stop_signals.h"
#include "config/print.h"
#include "core/clock.h"
#include "core/error.h"
#include "io/fs.h"
#include "lab/sweep/plan.h"
#include "lab/sweep/runner.h"
#include "lab/sweep/spec.h"
#include "lab/sweep/summary.h"
#include "lab/sweep/trial_run.h"
#include "lab/sweep/worker.h"
#include "lab/text.h"
#include "train/batch_ramp.h"
#include "train/run_dir.h"

namespace keel {
namespace {

constexpr double kRedrawSeconds = 0.5;
constexpr size_t kMostShown = 16;  // running trials on the screen

std::string default_out(const std::string& file) {
  const std::string name = base_name(file);
  return join_path("sweeps", name.substr(0, name.rfind('.')));
}

// A folder that may become, or is, one of a sweep.
void make_out(const std::string& out) {
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

int64_t jobs_of(const SweepArgs& args, const Sweep& sweep) {
  if (args.jobs < 0) {
    throw ConfigError(fmt::format("--jobs: must be at least 1, is {}", args.jobs));
  }
  const int64_t asked = args.jobs > 0 ? args.jobs : sweep.jobs;
  return asked > 0 ? asked : default_jobs(sweep.setup);
}

// The state of a sweep while it runs: a block that is redrawn on a terminal, else a line for each
// trial that ends.
class Screen {
 public:
  Screen(TrialStore& store, int64_t jobs)
      : store_(store), jobs_(jobs), options_(progress_options(stderr, false, 1)) {
    for (const TrialRow& row : store_.rows(false)) {
      if (is_over(row.state)) seen_.insert(row.plan.id);
    }
  }
  ~Screen() { clear(); }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  void show(const TrialCounts& counts) {
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

  void clear() {
    if (lines_ > 0) std::fprintf(stderr, "\x1b[%zuA\x1b[J", lines_);
    lines_ = 0;
  }

 private:
  static bool is_over(TrialState s) { return s == TrialState::kDone || s == TrialState::kFailed; }

  std::string ending_of(const TrialRow& row) {
    if (row.state == TrialState::kFailed) return ": failed: " + row.error;
    const std::optional<TrialRow> whole = store_.row(row.plan.id);
    if (!whole || !whole->result) return ": done";
    const TrialResult& r = *whole->result;
    return fmt::format(
        ": {}{}, {:.1f} s", r.ended,
        std::isfinite(r.val_loss) ? fmt::format(", val loss {:.4f}", r.val_loss) : "", r.seconds);
  }

  void draw(const std::vector<TrialRow>& rows, const TrialCounts& counts, const std::string& left) {
    put(fmt::format("{}, left {}", counts_text(counts), left));
    for (const TrialRow& row : rows) {
      if (row.state != TrialState::kRunning || lines_ > kMostShown) continue;
      put("  running: " + trial_name(row.plan));
    }
  }

  // A line of the block: one that wrapped would be two.
  void put(const std::string& line) {
    say(options_.columns > 1 ? line.substr(0, static_cast<size_t>(options_.columns) - 1) : line);
    ++lines_;
  }

  TrialStore& store_;
  int64_t jobs_;
  ProgressOptions options_;
  std::set<std::string> seen_;  // trials that were told of
  int64_t over_ = -1, running_ = -1;
  double drawn_at_ = 0;
  size_t lines_ = 0;  // of the block
};

// Work of a trial's training steps, without its evaluations.
double flops_of(const RunConfig& config, const Plan& plan) {
  const int64_t tokens =
      BatchRamp(config).sequences_before(config.train.steps) * config.model.context;
  return plan.flops(config.train.steps, tokens);
}

// Seconds of all trials, none of them stopped early: a few steps of the first one are measured, the
// others are taken to be as fast for their work.
double measured_seconds(const Sweep& sweep) {
  constexpr int64_t kDiscarded = 2, kMeasured = 5;
  const TrialPlan& first = sweep.trials.front();
  Rig rig = open_rig(plan_config(sweep.setup.base, first.sets));
  const RunConfig& c = rig.planned.config;
  const double step = quantile(seconds_of(measure_steps(*rig.trainer, kDiscarded, kMeasured)), 0.5);
  const int64_t tokens = BatchRamp(c).sequences_before(1) * c.model.context;
  const double per_flop = step / rig.planned.plan.flops(1, tokens);
  std::map<std::string, double> known;  // work by what it depends on
  double seconds = 0;
  for (const TrialPlan& trial : sweep.trials) {
    RunConfig config = config_of(sweep.setup, trial);
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

std::string worst_case(const Sweep& sweep, int64_t jobs) {
  const auto trials = static_cast<double>(sweep.trials.size());
  const auto at_a_time = static_cast<double>(std::min<int64_t>(jobs, std::ssize(sweep.trials)));
  if (!sweep.setup.command.empty()) {
    if (sweep.setup.time_limit == 0) return "worst case: not known, trial.time_limit is not set";
    return fmt::format("worst case: {} with {} at a time, by trial.time_limit",
                       short_duration(sweep.setup.time_limit * trials / at_a_time), jobs);
  }
  return fmt::format(
      "worst case: {} with {} at a time, no trial stopped early (steps of the first trial "
      "measured, those of others in proportion to their work; evaluations are not counted)",
      short_duration(measured_seconds(sweep) / at_a_time), jobs);
}

int dry_run(const SweepArgs& args, const Sweep& sweep) {
  const int64_t jobs = jobs_of(args, sweep);
  if (args.json) {
    Json trials = Json::array();
    for (const TrialPlan& t : sweep.trials) {
      trials.push(Json::object().set("id", t.id).set("name", trial_name(t)));
    }
    print_json(Json::object().set("trials", std::move(trials)).set("jobs", jobs));
    return kExitOk;
  }
  std::string text;
  for (const TrialPlan& t : sweep.trials) text += fmt::format("{}  {}\n", t.id, trial_name(t));
  print(fmt::format("{}{} trials; {}\n", text, sweep.trials.size(), worst_case(sweep, jobs)));
  return kExitOk;
}

int tell_end(TrialStore& store, const SweepArgs& args, const std::string& out, const Sweep& sweep,
             const RunnerEnd& end) {
  const std::vector<JudgedTrial> trials = judge_trials(store.rows(), rule_of(sweep.setup));
  if (args.json) {
    Json j = counts_json(end.counts, diverged_in(trials));
    print_json(j.set("out", out).set("results", trials_json(trials)));
  } else {
    print(trials_table(trials));
  }
  if (end.stopped) {
    complain(fmt::format("stopped, {}; go on with: keel sweep {} --out {}", counts_text(end.counts),
                         shell_quote(args.file), shell_quote(out)));
    return kExitStopped;
  }
  if (end.counts.failed == 0) return kExitOk;
  complain(
      fmt::format("{} trials failed; to try them again: keel sweep retry {}, then keel sweep "
                  "{} --out {}",
                  end.counts.failed, shell_quote(out), shell_quote(args.file), shell_quote(out)));
  return kExitFailed;
}

}  // namespace

int run(const SweepArgs& args) {
  const Sweep sweep = read_sweep(args.file, args.yes || args.dry_run);
  for (const std::string& note : sweep.notes) say("note: " + note);
  if (sweep.setup.command.empty()) hand_over(config_of(sweep.setup, sweep.trials.front()));
  if (args.dry_run) return dry_run(args, sweep);
  const StopSignals signals;
  limit_time(signals.requests(), args.max_time);
  const std::string out = args.out.empty() ? default_out(args.file) : args.out;
  const int64_t jobs = jobs_of(args, sweep);
  make_out(out);
  const SweepLock lock(out);
  TrialStore store(out, "sweep");
  enter_sweep(store, sweep);
  RunnerOptions options;
  options.out = out;
  options.jobs = jobs;
  options.keep = sweep.keep;
  Screen screen(store, jobs);
  const RunnerEnd end = run_trials(store, sweep.setup, options, signals.requests(),
                                   [&](const TrialCounts& counts) { screen.show(counts); });
  screen.show(end.counts);
  screen.clear();
  return tell_end(store, args, out, sweep, end);
}

int run(const SweepStatusArgs& args) {
  TrialStore store(args.out, "");
  const TrialCounts counts = store.counts();
  const std::vector<JudgedTrial> trials = judge_trials(store.rows(), stored_rule(store));
  if (args.json) {
    print_json(counts_json(counts, diverged_in(trials)));
  } else {
    print(fmt::format("{}{}\n", trials_table(trials), counts_text(counts)));
  }
  return kExitOk;
}

int run(const SweepRetryArgs& args) {
  TrialStore store(args.out, "");
  const int64_t n = store.retry_failed();
  print(fmt::format("{} trials that failed are pending again\n", n));
  return kExitOk;
}

int run(const SweepRmArgs& args) {
  const TrialStore store(args.out, "");  // it is one
  const SweepLock lock(args.out);
  real_fs().remove_tree(args.out);
  return kExitOk;
}

int run(const SweepWorkerArgs& args) {
  if (!die_with(args.parent)) return kExitStopped;
  const StopSignals signals;
  pin_to_cores(args.core, read_worker_job(args.out).setup.threads);
  work(args.out, signals.requests());
  return kExitOk;
}

}  // namespace keel
