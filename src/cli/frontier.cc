// keel frontier: how far a scalar, as a rule the learning rate, can go in each of some recipes.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "cli/commands.h"
#include "cli/hand_over.h"
#include "cli/output.h"
#include "cli/stop_signals.h"
#include "cli/trials.h"
#include "config/text.h"
#include "core/version.h"
#include "io/fs.h"
#include "lab/search/frontier_file.h"
#include "lab/search/ladder_svg.h"
#include "lab/search/page.h"
#include "lab/search/text.h"
#include "lab/sweep/plan.h"
#include "lab/sweep/summary.h"
#include "lab/sweep/worker.h"
#include "lab/text.h"
#include "train/environment.h"
#include "train/run_dir.h"

namespace keel {
namespace {

// What the search says while it runs: where it is, and the trials of the store at hand.
class FrontierScreen {
 public:
  explicit FrontierScreen(int64_t jobs) : jobs_(jobs) {}

  void show(TrialStore& store, const TrialCounts& counts) {
    if (&store != store_) {
      screen_.reset();
      screen_.emplace(store, jobs_);
      store_ = &store;
    }
    screen_->show(counts);
  }
  void clear() { screen_.reset(); }

 private:
  int64_t jobs_;
  TrialStore* store_ = nullptr;
  std::optional<TrialScreen> screen_;
};

int64_t jobs_of(const FrontierArgs& args, const FrontierPlan& plan) {
  check_number("--jobs", args.jobs, 0);
  return args.jobs > 0 ? args.jobs : default_jobs(plan.setup);
}

// Of all values that the search may come to, none of the trials stopped early.
std::optional<double> worst_seconds(const FrontierPlan& plan) {
  const FrontierSpec& spec = plan.spec;
  const double most = static_cast<double>(spec.most_trials());
  if (!plan.setup.command.empty()) {
    if (plan.setup.time_limit == 0) return {};
    return plan.setup.time_limit * most;
  }
  std::vector<TrialPlan> one_of_each;
  for (size_t i = 0; i < plan.sets.size(); ++i) {
    for (size_t arm = 0; arm < spec.arms.size(); ++arm) {
      one_of_each.push_back(frontier_trial(plan, i, arm, spec.start, spec.seed_list().front()));
    }
  }
  const double each = static_cast<double>(one_of_each.size());
  return measured_seconds(plan.setup, one_of_each) / each * most;
}

int dry_run(const FrontierArgs& args, const FrontierPlan& plan) {
  const int64_t jobs = jobs_of(args, plan);
  const std::optional<double> seconds = worst_seconds(plan);
  const FrontierSpec& spec = plan.spec;
  if (args.json) {
    Json arms = Json::array();
    for (const ArmSpec& arm : spec.arms) arms.push(arm.name);
    Json j = Json::object();
    j.set("arms", std::move(arms)).set("seeds", Json::array_of(spec.seed_list()));
    j.set("most_trials", spec.most_trials()).set("jobs", jobs);
    j.set("worst_seconds", seconds ? Json(*seconds / static_cast<double>(jobs)) : Json());
    print_json(j);
    return kExitOk;
  }
  std::string text = fmt::format(
      "{} arms, {} seeds, {} from {} by factors of {}, at most {} values: at most {} "
      "trials\n",
      spec.arms.size(), spec.seed_list().size(), spec.key, plain(spec.start), plain(spec.ratio),
      spec.max_rates, spec.most_trials());
  for (size_t a = 0; a < spec.arms.size(); ++a) {
    text += fmt::format("  {}: {}\n", spec.arms[a].name, fmt::join(plan.arms[a].sets, " "));
  }
  text += seconds ? fmt::format("worst case: {} with {} at a time, no trial stopped early\n",
                                short_duration(*seconds / static_cast<double>(jobs)), jobs)
                  : std::string("worst case: not known, trial.time_limit is not set\n");
  print(text);
  return kExitOk;
}

std::string command_of(const FrontierArgs& args, const std::string& out) {
  return fmt::format("keel frontier {} --out {}", shell_quote(args.file), shell_quote(out));
}

// Writes the files of the result; the path of the page.
std::string write_result(const FrontierResult& result, const std::string& out) {
  Fs& fs = real_fs();
  fs.replace_file(join_path(out, "frontier.json"), to_json(result).dump() + "\n");
  fs.replace_file(join_path(out, "frontier.md"), frontier_markdown(result));
  fs.replace_file(join_path(out, "ladder.svg"), ladder_svg(result));
  std::string page = join_path(out, "report.html");
  write_frontier_page(result, page, {"keel " + version(), unix_time()});
  return page;
}

int tell(const FrontierArgs& args, const FrontierResult& result, const std::string& out) {
  const std::string page = write_result(result, out);
  if (args.json) {
    print_json(to_json(result));
  } else {
    print(fmt::format("{}\nThe report opens in any browser, without a network:\n{}\n",
                      frontier_text(result), page));
  }
  if (result.failed == 0) return kExitOk;
  complain(fmt::format("{} trials failed; to try them again: keel sweep retry {}, then {}",
                       result.failed, shell_quote(out), command_of(args, out)));
  return kExitFailed;
}

int tell_stopped(const FrontierArgs& args, const FrontierPlan& plan, TrialStore& store,
                 const std::string& out) {
  const TrialCounts counts = store.counts();
  if (args.json) {
    const int64_t diverged = diverged_in(judge_trials(store.rows(), plan.spec.rule));
    print_json(counts_json(counts, diverged).set("out", out));
  }
  complain(fmt::format("stopped, {}; go on with: {}", counts_text(counts), command_of(args, out)));
  return kExitStopped;
}

}  // namespace

int run(const FrontierArgs& args) {
  FrontierPlan plan = read_frontier(args.file, args.yes || args.dry_run);
  for (const std::string& note : plan.notes) say("note: " + note);
  const int64_t jobs = jobs_of(args, plan);
  RunnerOptions options;
  options.out = args.out.empty() ? default_out(args.file) : args.out;
  options.jobs = jobs;
  const StopSignals signals;
  limit_time(signals.requests(), args.max_time);
  if (plan.setup.command.empty()) {
    const int64_t seed = plan.spec.seed_list().front();
    hand_over(config_of(plan.setup, frontier_trial(plan, 0, 0, plan.spec.start, seed)));
  }
  if (args.dry_run) return dry_run(args, plan);
  plan.command = command_of(args, options.out);
  make_out_folder(options.out);
  const SweepLock lock(options.out);
  TrialStore store(options.out, "frontier");
  enter_frontier(store, plan, plan.spec.early_stop);
  FrontierScreen screen(jobs);
  const StoredTrials::Tick tick = [&](TrialStore& s, const TrialCounts& c) { screen.show(s, c); };
  const std::optional<FrontierResult> result =
      run_frontier(plan, store, options, signals.requests(), tick);
  screen.clear();
  return result ? tell(args, *result, options.out) : tell_stopped(args, plan, store, options.out);
}

}  // namespace keel
