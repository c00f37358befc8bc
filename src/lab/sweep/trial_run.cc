#include "lab/sweep/trial_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <utility>
#include <vector>

#include "config/load.h"
#include "config/print.h"
#include "core/error.h"
#include "io/fs.h"
#include "io/hash.h"
#include "lab/stats/summary.h"
#include "lab/sweep/external.h"
#include "lab/sweep/plan.h"
#include "lab/sweep/worker.h"
#include "train/checkpoint_store.h"
#include "train/environment.h"
#include "train/loop.h"
#include "train/metric_names.h"
#include "train/metrics_log.h"
#include "train/recorder.h"
#include "train/session.h"

namespace keel {
namespace {

constexpr size_t kMostPoints = 60;  // of a series

struct KnownData {
  TokenEntropy entropy;
  std::string fingerprint;
};

std::unique_ptr<Dataset> open_data(const RunConfig& c) {
  DatasetArgs args = c.dataset_args();
  args.seed = 0;
  return Dataset::open(c.data, args);
}

std::string data_key(const RunConfig& config) {
  std::string text = fmt::format("{} {}\n", config.model.context, config.model.vocab);
  for (const KeyValue& kv : flatten(config)) {
    if (kv.key.starts_with("data.")) text += kv.key + "=" + kv.value + "\n";
  }
  return "data/" + xxh3_hex(text);
}

// What all processes of a sweep must agree on, so the seed of the trial has no part in it.
KnownData known_data(TrialStore& store, const RunConfig& config) {
  const std::string key = data_key(config);
  const std::map<std::string, std::string> meta = store.meta();
  KnownData known;
  if (const auto it = meta.find(key); it != meta.end()) {
    char fingerprint[64] = "";
    long long tokens = 0;
    TokenEntropy& e = known.entropy;
    if (std::sscanf(it->second.c_str(), "%lf %lf %lld %63s", &e.unigram, &e.bigram, &tokens,
                    fingerprint) != 4) {
      store.refuse(
          fmt::format("{} is \"{}\", not two entropies, a count and a hash", key, it->second));
    }
    e.tokens = tokens;
    known.fingerprint = fingerprint;
    return known;
  }
  const std::unique_ptr<Dataset> data = open_data(config);
  known = {token_entropy(*data), data->fingerprint()};
  store.set_meta(key, fmt::format("{} {} {} {}", known.entropy.unigram, known.entropy.bigram,
                                  known.entropy.tokens, known.fingerprint));
  return known;
}

// The losses of a run, step by step, those of earlier processes included.
struct Losses {
  std::vector<double> losses, seconds;
};

class TrialWatch final : public Observer {
 public:
  TrialWatch(Losses past, EarlyStop* stop, const std::function<void()>& heartbeat)
      : all_(std::move(past)), stop_(stop), heartbeat_(heartbeat) {
    for (const double loss : all_.losses) look_at(loss);
  }
  void may_give_up(RunLoop& loop) { loop_ = &loop; }

  void on_step(const Trainer&, const StepResult& r, double seconds) override {
    all_.losses.push_back(r.loss);
    all_.seconds.push_back(seconds);
    look_at(r.loss);
    heartbeat_();
  }
  // Why the run is lost; or empty.
  const std::string& lost() const { return lost_; }
  const Losses& all() const { return all_; }

 private:
  // A loss that is not finite ends the run by itself.
  void look_at(double loss) {
    if (stop_ == nullptr || !lost_.empty() || !std::isfinite(loss)) return;
    if (!stop_->add(loss)) return;
    lost_ = stop_->stopped()->reason;
    if (loop_ != nullptr) loop_->give_up(lost_);
  }

  Losses all_;
  EarlyStop* stop_;
  const std::function<void()>& heartbeat_;
  RunLoop* loop_ = nullptr;
  std::string lost_;
};

// Every so many points, the first and the last among them.
TrialSeries thinned(const std::vector<MetricPoint>& points) {
  TrialSeries out;
  const size_t n = std::min(points.size(), kMostPoints);
  for (size_t i = 0; i < n; ++i) {
    const size_t at = n > 1 ? i * (points.size() - 1) / (n - 1) : 0;
    out.steps.push_back(points[at].step);
    out.values.push_back(points[at].value);
  }
  return out;
}

// What stands in the result in another form, or is the same in all trials.
bool is_left_out(const std::string& name) {
  using namespace metric_name;
  const std::string group = name.substr(0, name.find('/'));
  return name == kLoss || name == kRate || name == kGradNorm || name == kSpeed || name == kTokens ||
         group == kEntropyGroup || group == kSourceLossGroup;
}

// Before the first step, such as "attn_logit_rms_at_init".
constexpr std::string_view kAtInit = "_at_init";

// Series of metrics, and numbers that stand for the whole run.
void take_metrics(const std::string& run, int64_t warmup_steps, TrialResult& result) {
  const RunMetrics metrics(run);
  for (const std::string& name : metrics.metric_names()) {
    if (is_left_out(name)) continue;
    const std::vector<MetricPoint> points = metrics.metric(name);
    if (name == metric_name::kUpdateRatioOfAll) {
      const auto at = std::find_if(points.begin(), points.end(),
                                   [&](const MetricPoint& p) { return p.step >= warmup_steps; });
      if (at != points.end()) result.numbers["update_ratio_after_warmup"] = at->value;
    }
    result.series[name] = thinned(points);
  }
  for (const auto& [key, value] : metrics.meta()) {
    if (!key.ends_with(kAtInit)) continue;
    result.numbers[key] = std::strtod(value.c_str(), nullptr);
  }
}

// Of the steps before `resumed_at`; nothing where the metrics do not hold each of them.
std::optional<Losses> past_losses(const std::string& run, int64_t resumed_at) {
  Losses past;
  if (resumed_at == 0) return past;
  const RunMetrics metrics(run);
  const std::vector<MetricPoint> losses = metrics.metric(metric_name::kLoss);
  for (const MetricPoint& p : losses) {
    if (p.step <= resumed_at) past.losses.push_back(p.value);
  }
  const std::vector<MetricPoint> tokens = metrics.metric(metric_name::kTokens);
  const std::vector<MetricPoint> speeds = metrics.metric(metric_name::kSpeed);
  double before = 0;
  for (size_t i = 0; i < std::min(tokens.size(), speeds.size()); ++i) {
    if (tokens[i].step > resumed_at) break;
    past.seconds.push_back((tokens[i].value - before) / speeds[i].value);
    before = tokens[i].value;
  }
  if (std::ssize(past.losses) != resumed_at) return std::nullopt;
  return past;
}

struct OpenedTrial {
  Session session;
  Losses past;
};

// Nothing when there is nothing to go on from.
std::optional<OpenedTrial> go_on(const std::string& folder) {
  Fs& fs = real_fs();
  if (!is_run(fs, folder) || list_checkpoints(fs, folder).empty()) return std::nullopt;
  try {
    Session session = resume_session(fs, folder, {});
    std::optional<Losses> past = past_losses(folder, session.resumed_at);
    if (!past) return std::nullopt;
    return OpenedTrial{std::move(session), std::move(*past)};
  } catch (const DataError&) {
    return std::nullopt;  // damaged: it starts anew
  } catch (const ConfigError&) {
    return std::nullopt;  // of another program, whose configs are not ours
  }
}

OpenedTrial open_trial(const TrialSetup& setup, const std::string& folder, const TrialPlan& plan) {
  if (std::optional<OpenedTrial> opened = go_on(folder)) return std::move(*opened);
  Fs& fs = real_fs();
  if (fs.exists(folder)) fs.remove_tree(folder);
  return {create_session(fs, setup.base, plan.sets, folder), {}};
}

// Written to before the first trial, so that each has its own peak.
void forget_peak_memory() {
  std::FILE* f = std::fopen("/proc/self/clear_refs", "we");
  if (f == nullptr) return;
  std::fputs("5", f);
  std::fclose(f);
}

TrialResult result_of(const RunConfig& config, const RunOutcome& outcome, const TrialWatch& watch) {
  TrialResult r;
  r.steps = config.train.steps;
  r.losses = watch.all().losses;
  r.val_loss = outcome.val_loss.value_or(std::numeric_limits<double>::quiet_NaN());
  r.reason = outcome.reason;
  r.tokens = outcome.tokens;
  for (const double s : watch.all().seconds) r.seconds += s;
  if (!watch.all().seconds.empty()) r.step_seconds = median(watch.all().seconds);
  r.peak_bytes = process_bytes("VmHWM");
  if (outcome.end == RunEnd::kEarly) r.ended = TrialEnd::kStoppedEarly;
  if (outcome.end == RunEnd::kDiverged) {
    r.ended = TrialEnd::kNotFinite;
    r.val_loss = std::numeric_limits<double>::quiet_NaN();
    // The gradient can be infinite where the loss is not: the loss of the next step is then none.
    if (r.losses.empty() || std::isfinite(r.losses.back())) {
      if (std::ssize(r.losses) == r.steps) r.losses.pop_back();
      r.losses.push_back(std::numeric_limits<double>::quiet_NaN());
    }
  }
  return r;
}

std::optional<TrialResult> run_own(TrialStore& store, const TrialSetup& setup,
                                   const std::string& folder, const TrialPlan& plan,
                                   StopRequests& requests, const std::function<void()>& heartbeat) {
  forget_peak_memory();
  const KnownData known = known_data(store, config_of(setup, plan));
  OpenedTrial trial = open_trial(setup, folder, plan);
  Session& s = trial.session;
  if (s.data->fingerprint() != known.fingerprint) {
    throw DataError(
        "the data is not what it was when the sweep began; put it back, or begin "
        "another sweep");
  }
  if (s.data->eval_tokens() == 0) {
    throw DataError("the data has no validation split, and a trial is judged by it");
  }
  const RunShape shape = run_shape(s.config, known.entropy.unigram);
  EarlyStop stop(shape, rule_of(setup));
  TrialWatch watch(std::move(trial.past), setup.early_stop ? &stop : nullptr, heartbeat);
  RunOutcome outcome;
  outcome.end = RunEnd::kEarly;
  outcome.reason = watch.lost();
  if (watch.lost().empty()) {
    Recorder recorder(*s.dir, real_fs(), *s.trainer, s.resumed_at,
                      [](const std::string& text) { throw IoError(text); });
    RunLoop loop(s, real_fs(), {&recorder, &watch}, requests);
    loop.leave_unsaved();
    watch.may_give_up(loop);
    outcome = loop.run();
  } else {
    outcome.tokens = s.trainer->sequences_in(s.resumed_at) * s.config.model.context;
  }
  if (outcome.end == RunEnd::kStopped) return std::nullopt;
  TrialResult result = result_of(s.config, outcome, watch);
  take_metrics(folder, shape.warmup_steps, result);
  result.numbers["warmup_steps"] = static_cast<double>(shape.warmup_steps);
  result.numbers["unigram_entropy"] = shape.unigram_entropy;
  return result;
}

}  // namespace

TokenEntropy data_entropy(TrialStore& store, const RunConfig& config) {
  return known_data(store, config).entropy;
}

std::string data_fingerprint(TrialStore& store, const RunConfig& config) {
  return known_data(store, config).fingerprint;
}

RunShape run_shape(const RunConfig& config, double unigram_entropy) {
  return {config.schedule.warmup, config.train.steps, unigram_entropy};
}

RunShape run_shape(const TrialResult& result) {
  const auto number = [&](const char* name) {
    const auto it = result.numbers.find(name);
    if (it == result.numbers.end()) {
      throw DataError(fmt::format("the result of a trial has no {}, by which it is judged", name));
    }
    return it->second;
  };
  return {static_cast<int64_t>(number("warmup_steps")), result.steps, number("unigram_entropy")};
}

VerdictConfig rule_of(const TrialSetup& setup) {
  VerdictConfig rule;
  load_config_text("rule", "", setup.rule, rule);
  return rule;
}

VerdictConfig stored_rule(TrialStore& store) {
  const std::map<std::string, std::string> meta = store.meta();
  for (const char* key : {"stated", "setup"}) {
    if (const auto it = meta.find(key); it != meta.end()) return rule_of(setup_of(it->second));
  }
  return {};
}

std::string trial_folder(const std::string& out, const std::string& id) {
  return join_path(join_path(out, "trials"), id);
}

std::optional<TrialResult> run_trial(TrialStore& store, const TrialSetup& setup,
                                     const std::string& out, const TrialPlan& plan,
                                     StopRequests& requests,
                                     const std::function<void()>& heartbeat) {
  const std::string folder = trial_folder(out, plan.id);
  if (!setup.command.empty()) return run_external(setup, folder, plan, requests, heartbeat);
  try {
    const StopScope scope(requests);
    return run_own(store, setup, folder, plan, requests, heartbeat);
  } catch (const Stopped&) {
    return std::nullopt;
  }
}

}  // namespace keel
