// keel sweep and what belongs to it. The trials are run by processes of this program, keel
// sweep-worker.

#include <fmt/format.h>

#include <algorithm>

#include "cli/commands.h"
#include "cli/hand_over.h"
#include "cli/output.h"
#include "cli/stop_signals.h"
#include "cli/trials.h"
#include "io/fs.h"
#include "lab/sweep/plan.h"
#include "lab/sweep/runner.h"
#include "lab/sweep/spec.h"
#include "lab/sweep/summary.h"
#include "lab/sweep/trial_run.h"
#include "lab/sweep/worker.h"
#include "lab/text.h"
#include "train/run_dir.h"

namespace keel {
namespace {

int64_t jobs_of(const SweepArgs& args, const Sweep& sweep) {
  check_number("--jobs", args.jobs, 0);
  const int64_t asked = args.jobs > 0 ? args.jobs : sweep.jobs;
  return asked > 0 ? asked : default_jobs(sweep.setup);
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
      short_duration(measured_seconds(sweep.setup, sweep.trials) / at_a_time), jobs);
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
  make_out_folder(out);
  const SweepLock lock(out);
  TrialStore store(out, "sweep");
  enter_sweep(store, sweep);
  // Before any trial, so that data that cannot be read fails none.
  if (sweep.setup.command.empty()) {
    data_entropy(store, config_of(sweep.setup, sweep.trials.front()));
  }
  RunnerOptions options;
  options.out = out;
  options.jobs = jobs;
  options.keep = sweep.keep;
  TrialScreen screen(store, jobs);
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
  int64_t n = TrialStore(args.out, "").retry_failed();
  // The full runs of a frontier that checks its early stop.
  const std::string full = join_path(args.out, "full");
  if (real_fs().exists(join_path(full, "sweep.db"))) n += TrialStore(full, "").retry_failed();
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
