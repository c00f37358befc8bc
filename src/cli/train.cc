// keel train and keel resume.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cli/commands.h"
#include "cli/hand_over.h"
#include "cli/output.h"
#include "cli/stop_signals.h"
#include "cli/terminal.h"
#include "config/print.h"
#include "core/error.h"
#include "core/parallel.h"
#include "core/version.h"
#include "io/fs.h"
#include "lab/report.h"
#include "lab/run_data.h"
#include "lab/text.h"
#include "train/checkpoint_store.h"
#include "train/environment.h"
#include "train/loop.h"
#include "train/recorder.h"
#include "train/session.h"
#include "train/state_hash.h"
#include "train/time_limit.h"

namespace keel {
namespace {

std::string origin_of(const Session& s, const std::string& key) {
  const auto found = s.loaded.origins.find(key);
  return found == s.loaded.origins.end() ? "" : found->second;
}

// Settings that are not the defaults, with where they come from.
void say_settings(Terminal& terminal, const Session& s) {
  size_t key_width = 0, value_width = 0;
  std::vector<Difference> rows;
  for (Difference& d : diff_configs(RunConfig(), s.config)) {
    if (d.b.empty() || origin_of(s, d.key) == "default") continue;
    key_width = std::max(key_width, d.key.size());
    value_width = std::max(value_width, std::min<size_t>(d.b.size(), 40));
    rows.push_back(std::move(d));
  }
  for (const Difference& d : rows) {
    terminal.say(
        fmt::format("  {:{}}  {:{}}  {}", d.key, key_width, d.b, value_width, origin_of(s, d.key)));
  }
}

void say_start(Terminal& terminal, const Session& s, const StopRequests& requests) {
  terminal.say(fmt::format("keel {} ({}), {} threads, {}", version(), build_id(), num_threads(),
                           s.config.train.dtype));
  terminal.say("settings that are not the defaults:");
  say_settings(terminal, s);
  const MemoryUse& b = s.plan.bytes;
  terminal.say(fmt::format(
      "model: {} parameters; memory: {} (weights {}, gradients {}, optimizer {}, activations {}, "
      "copy for checkpoints {})",
      grouped(s.plan.parameters), short_bytes(s.plan.total_bytes()), short_bytes(b.weights),
      short_bytes(b.gradients), short_bytes(b.optimizer), short_bytes(b.activations),
      short_bytes(s.plan.copy_bytes)));
  const Dataset& data = *s.data;
  std::string text =
      data.train_tokens() > 0 ? grouped(data.train_tokens()) + " tokens" : "endless tokens";
  text += fmt::format(", validation {}, {} ids", grouped(data.eval_tokens()), data.vocab());
  if (const auto floor = data.entropy_floor()) {
    text += fmt::format(", entropy floor {:.4f} nats", *floor);
  }
  terminal.say("data: " + text);
  for (const std::string& n : s.notes) terminal.say("note: " + n);
  for (const std::string& w : s.warnings) terminal.warn(w);
  if (std::isfinite(requests.seconds_left())) {
    terminal.say(fmt::format("time: {} are left, a step and a save before their end it stops",
                             short_duration(requests.seconds_left())));
  }
  terminal.say("run: " + s.dir->path());
}

Json number(const std::optional<double>& v) { return v ? Json(*v) : Json(nullptr); }

Json outcome_json(const std::string& run, const RunOutcome& o, const std::string& state) {
  Json j = Json::object();
  j.set("run", run).set("steps", o.steps).set("tokens", o.tokens);
  j.set("val_loss", number(o.val_loss)).set("train_loss", number(o.train_loss));
  j.set("tokens_per_second", number(o.tokens_per_second));
  j.set("diverged", o.end == RunEnd::kDiverged);
  j.set("reason", o.reason.empty() ? Json(nullptr) : Json(o.reason));
  j.set("state", state);
  return j;
}

std::string summary(const RunOutcome& o) {
  std::string text = fmt::format("{} steps, {} tokens", grouped(o.steps), grouped(o.tokens));
  if (o.train_loss) text += fmt::format(", training loss {:.4f}", *o.train_loss);
  if (o.val_loss) text += fmt::format(", validation loss {:.4f}", *o.val_loss);
  if (o.tokens_per_second) text += fmt::format(", {} tokens/s", short_count(*o.tokens_per_second));
  return text;
}

// The report is made from what was recorded; a run whose report cannot be made has still ended
// well.
void make_report(Terminal& terminal, const Session& s) {
  const std::string path = s.dir->file("report.html");
  try {
    const std::string run = s.dir->path();
    write_report({&run, 1}, path, {.program = "keel " + version(), .unix_time = unix_time()});
    terminal.say("report: " + path);
  } catch (const Error& e) {
    terminal.warn(fmt::format("no report: {}", e.what()));
  }
}

int tell_end(Terminal& terminal, const std::string& run, const RunOutcome& o) {
  terminal.finish();
  terminal.say((o.end == RunEnd::kFinished ? "done: " : "ended: ") + summary(o));
  switch (o.end) {
    case RunEnd::kFinished:
      return kExitOk;
    case RunEnd::kEarly:
      terminal.say("ended early: " + o.reason);
      return kExitOk;
    case RunEnd::kStopped:
      complain(
          fmt::format("stopped at step {}, {}; everything is saved; go on with: keel resume {}",
                      o.steps, o.reason, shell_quote(run)));
      return kExitStopped;
    case RunEnd::kDiverged:
      complain(fmt::format(
          "diverged: {}; {}, a lower optim.lr or a longer schedule.warmup may help", o.reason,
          list_checkpoints(real_fs(), run).empty() ? "no checkpoint was made yet"
                                                   : "the last checkpoint stands"));
      return kExitDiverged;
  }
  return kExitFailed;
}

void tell_result(const Session& s, const RunOutcome& o, bool json) {
  const std::string& run = s.dir->path();
  if (json) {
    print_json(outcome_json(run, o, state_hash(*s.trainer)));
  } else {
    print(run + "\n");
  }
}

// Nothing when a stop came before there was a step to be saved.
template <class Open>
std::optional<Session> open_until_stopped(const StopSignals& signals, Open open) {
  try {
    const StopScope scope(signals.requests());
    return open();
  } catch (const Stopped&) {
    complain(fmt::format("stopped before the first step, {}; nothing has changed",
                         signals.requests().reason()));
    return std::nullopt;
  }
}

std::optional<double> known(double v) { return std::isfinite(v) ? std::optional(v) : std::nullopt; }

// What a run that has nothing left to do came to; nothing when steps or the last evaluation are
// still to be done.
std::optional<RunOutcome> finished_already(const Session& s) {
  if (s.resumed_at < s.config.train.steps) return std::nullopt;
  const RunData data = load_run_data(s.dir->path());
  const Curve& evals = data.eval(metric_name::kValLoss);
  const bool evaluated =
      !evals.steps.empty() && static_cast<int64_t>(evals.steps.back()) >= s.resumed_at;
  if (s.data->eval_tokens() > 0 && !evaluated) return std::nullopt;
  const RunSummary sums = summarize(data);
  RunOutcome o;
  o.steps = s.resumed_at;
  o.tokens = s.trainer->sequences_in(o.steps) * s.config.model.context;
  o.val_loss = known(sums.val_loss);
  o.train_loss = known(sums.train_loss);
  o.tokens_per_second = known(sums.tokens_per_second);
  return o;
}

int train(Session& s, Terminal& terminal, const StopSignals& signals, bool json) {
  const std::string& run = s.dir->path();
  RunOutcome outcome;
  {
    Recorder recorder(*s.dir, real_fs(), *s.trainer, s.resumed_at,
                      [&](const std::string& text) { terminal.warn(text); });
    RunLoop loop(s, real_fs(), {&recorder, &terminal}, signals.requests());
    terminal.switch_lines_on(signals.hangups());
    outcome = loop.run();
  }
  make_report(terminal, s);
  const int code = tell_end(terminal, run, outcome);
  tell_result(s, outcome, json);
  return code;
}

}  // namespace

int run(const TrainArgs& args) {
  hand_over_config(args.config, args.sets);
  const StopSignals signals;
  limit_time(signals.requests(), args.max_time);
  std::optional<Session> s = open_until_stopped(
      signals, [&] { return create_session(real_fs(), args.config, args.sets, args.out); });
  if (!s) return kExitStopped;
  Terminal terminal(*s->dir, args.quiet, s->config.log.every);
  say_start(terminal, *s, signals.requests());
  return train(*s, terminal, signals, args.json);
}

int run(const ResumeArgs& args) {
  hand_over_run(args.run, args.sets);
  const StopSignals signals;
  limit_time(signals.requests(), args.max_time);
  std::optional<Session> s = open_until_stopped(
      signals, [&] { return resume_session(real_fs(), args.run, args.sets, args.changed_data); });
  if (!s) return kExitStopped;
  Terminal terminal(*s->dir, args.quiet, s->config.log.every);
  if (const auto done = finished_already(*s)) {
    terminal.say(
        fmt::format("the run is finished: {} of {} steps are done; for more: keel resume {} --set "
                    "train.steps=N",
                    done->steps, s->config.train.steps, shell_quote(args.run)));
    tell_result(*s, *done, args.json);
    return kExitOk;
  }
  say_start(terminal, *s, signals.requests());
  return train(*s, terminal, signals, args.json);
}

}  // namespace keel
