#include "lab/run_data.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>

#include "core/error.h"
#include "io/fs.h"
#include "io/json.h"
#include "lab/stats/summary.h"
#include "train/run_dir.h"

namespace keel {
namespace {

constexpr uint64_t kMaxFileBytes = uint64_t{16} << 20;

// Whether a process holds the run's lock. Closing the file gives the instant's shared lock back.
bool is_locked(const std::string& run) {
  const int fd = open(join_path(run, "lock").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool held = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  close(fd);
  return held;
}

void flatten_json(const Json& value, const std::string& key, std::vector<NamedValue>& out) {
  if (value.is_object()) {
    for (const JsonMember& member : value.as_object()) {
      flatten_json(member.value, key.empty() ? member.key : key + "." + member.key, out);
    }
  } else if (value.is_string()) {
    out.push_back({key, value.as_string()});
  } else {
    out.push_back({key, value.dump()});
  }
}

// Runs `read` and turns what it throws into a note: a report on a damaged run shows the rest.
template <class Read>
void tolerate(RunData& run, std::string_view what, Read&& read) {
  try {
    read();
  } catch (const Error& error) {
    run.notes.push_back(fmt::format("{} cannot be shown: {}", what, error.what()));
  }
}

void read_config(RunData& run) {
  Fs& fs = real_fs();
  run.config =
      read_resolved_config(fs.read_file(join_path(run.path, "config.toml"), kMaxFileBytes));
  const std::string path = join_path(run.path, "config.origin.json");
  if (!fs.exists(path)) return;
  const Json origins = parse_json(fs.read_file(path, kMaxFileBytes), path);
  for (ConfigEntry& entry : run.config) {
    const Json* origin = origins.find(entry.key);
    if (origin != nullptr && origin->is_string()) entry.origin = origin->as_string();
  }
}

void read_environment(RunData& run) {
  Fs& fs = real_fs();
  const std::string path = join_path(run.path, "env.json");
  if (!fs.exists(path)) return;
  flatten_json(parse_json(fs.read_file(path, kMaxFileBytes), path), "", run.environment);
}

Curve to_curve(const std::vector<MetricPoint>& points) {
  Curve curve;
  curve.steps.reserve(points.size());
  curve.values.reserve(points.size());
  for (const MetricPoint& point : points) {
    curve.steps.push_back(point.step);
    curve.values.push_back(point.value);
  }
  return curve;
}

// Training time after each step, from its tokens and its speed. A step without a speed, as in a
// run whose store has lost rows, counts as long as the one before it.
Curve seconds_of(const Curve& tokens, const Curve& speed) {
  Curve out;
  size_t next = 0;
  double per_token = 0, before = 0, sum = 0;
  for (size_t i = 0; i < tokens.size(); ++i) {
    while (next < speed.size() && speed.steps[next] < tokens.steps[i]) ++next;
    const bool known = next < speed.size() && speed.steps[next] == tokens.steps[i];
    if (known && speed.values[next] > 0) per_token = 1 / speed.values[next];
    sum += (tokens.values[i] - before) * per_token;
    before = tokens.values[i];
    out.steps.push_back(tokens.steps[i]);
    out.values.push_back(sum);
  }
  return out;
}

void read_metrics(RunData& run) {
  if (metrics_stores(run.path).empty()) {
    run.notes.push_back("It has no metrics.db, so there are no curves, samples and events.");
    return;
  }
  const RunMetrics reader(run.path);
  run.meta = reader.meta();
  for (const std::string& name : reader.metric_names()) {
    run.metrics.emplace(name, to_curve(reader.metric(name)));
  }
  for (const std::string& name : reader.eval_names()) {
    run.evals.emplace(name, to_curve(reader.eval(name)));
  }
  run.seconds = seconds_of(run.metric(metric_name::kTokens), run.metric(metric_name::kSpeed));
  run.samples = reader.samples();
  run.events = reader.events();
  run.notes.insert(run.notes.end(), reader.notes().begin(), reader.notes().end());
}

// The last event of this kind; a resume after it takes it back.
const EventRow* ended_by(const RunData& run, std::string_view kind) {
  const EventRow* found = nullptr;
  for (const EventRow& event : run.events) {
    if (event.kind == kind) found = &event;
    if (event.kind == metric_name::kResumeEvent) found = nullptr;
  }
  return found;
}

// Why a run counts as diverged, or empty.
std::string divergence(const RunData& run) {
  const EventRow* found = ended_by(run, metric_name::kDivergedEvent);
  if (found != nullptr) return fmt::format("diverged at step {}: {}", found->step, found->text);
  const Curve& loss = run.metric(metric_name::kLoss);
  if (loss.size() == 0 || std::isfinite(loss.values.back())) return "";
  return fmt::format("diverged at step {}: the loss is not finite", loss.steps.back());
}

int64_t steps_done(const RunData& run) {
  int64_t last = 0;
  for (const auto& [name, curve] : run.metrics) {
    if (curve.size() > 0) last = std::max(last, curve.steps.back());
  }
  return last;
}

int64_t steps_wanted(const RunData& run) {
  const std::string text = run.config_value("train.steps");
  char* end = nullptr;
  const long long steps = std::strtoll(text.c_str(), &end, 10);
  return text.empty() || *end != '\0' ? -1 : steps;
}

RunState state_of(const RunData& run) {
  if (is_locked(run.path)) return RunState::kRunning;
  if (!divergence(run).empty()) return RunState::kDiverged;
  const int64_t done = steps_done(run);
  if (done == 0) return RunState::kEmpty;
  const int64_t wanted = steps_wanted(run);
  if (wanted > 0 && done >= wanted) return RunState::kFinished;
  return ended_by(run, metric_name::kEarlyEvent) ? RunState::kEarly : RunState::kStopped;
}

double last_value(const Curve& curve) {
  return curve.size() > 0 ? curve.values.back() : std::nan("");
}

double mean_of_last(const Curve& curve, size_t count) {
  const size_t used = std::min(count, curve.size());
  double sum = 0;
  for (size_t i = curve.size() - used; i < curve.size(); ++i) sum += curve.values[i];
  return used > 0 ? sum / static_cast<double>(used) : std::nan("");
}

}  // namespace

std::string_view state_name(RunState state) {
  switch (state) {
    case RunState::kEmpty:
      return "empty";
    case RunState::kRunning:
      return "running";
    case RunState::kFinished:
      return "finished";
    case RunState::kStopped:
      return "stopped";
    case RunState::kEarly:
      return "early";
    case RunState::kDiverged:
      return "diverged";
  }
  return "empty";
}

const Curve& RunData::metric(std::string_view metric) const {
  static const Curve none;
  const auto found = metrics.find(metric);
  return found == metrics.end() ? none : found->second;
}

const Curve& RunData::eval(std::string_view eval) const {
  static const Curve none;
  const auto found = evals.find(eval);
  return found == evals.end() ? none : found->second;
}

std::string RunData::config_value(std::string_view key) const {
  for (const ConfigEntry& entry : config) {
    if (entry.key == key) return entry.value;
  }
  return "";
}

double RunData::meta_number(std::string_view key) const {
  const auto found = meta.find(std::string(key));
  if (found == meta.end() || found->second.empty()) return std::nan("");
  char* end = nullptr;
  const double value = std::strtod(found->second.c_str(), &end);
  return *end == '\0' ? value : std::nan("");
}

RunData load_run_data(const std::string& path) {
  if (!real_fs().is_dir(path)) throw DataError(fmt::format("{}: no such run", path));
  if (!real_fs().exists(join_path(path, "config.toml"))) {
    throw DataError(fmt::format("{}: not a run: it holds no config.toml", path));
  }
  RunData run;
  run.path = path;
  std::string_view trimmed = path;
  while (trimmed.size() > 1 && trimmed.back() == '/') trimmed.remove_suffix(1);
  run.name = base_name(trimmed);
  tolerate(run, "The configuration", [&] { read_config(run); });
  tolerate(run, "The environment", [&] { read_environment(run); });
  tolerate(run, "Curves, samples and events", [&] { read_metrics(run); });
  run.state = state_of(run);
  return run;
}

RunSummary summarize(const RunData& run) {
  RunSummary summary;
  summary.run = run.path;
  summary.name = run.name;
  summary.state = run.state;
  if (run.state == RunState::kDiverged) summary.reason = divergence(run);
  summary.steps = steps_done(run);
  summary.total_steps = steps_wanted(run);
  summary.tokens = last_value(run.metric(metric_name::kTokens));
  summary.train_loss = mean_of_last(run.metric(metric_name::kLoss), 20);
  std::vector<double> speeds = run.metric(metric_name::kSpeed).values;
  std::erase_if(speeds, [](double speed) { return !std::isfinite(speed); });
  summary.tokens_per_second = median(std::move(speeds));
  summary.seconds = last_value(run.seconds);
  summary.parameters = run.meta_number(metric_name::kParameters);
  summary.floor = run.meta_number(metric_name::kEntropyFloor);
  const Curve& val = run.eval(metric_name::kValLoss);
  summary.val_loss = last_value(val);
  summary.best_val_loss = std::nan("");
  for (size_t i = 0; i < val.size(); ++i) {
    if (!std::isfinite(val.values[i]) || summary.best_val_loss <= val.values[i]) continue;
    summary.best_val_loss = val.values[i];
    summary.best_val_step = val.steps[i];
  }
  return summary;
}

}  // namespace keel
