// Everything that a run directory says about a run, read for reports and tables. Works on a run
// that is being written, on one that has hardly begun and on one whose parts are damaged: what
// cannot be read is left out and said in `notes`.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lab/downsample.h"
#include "train/metric_names.h"
#include "train/metrics_log.h"

namespace keel {

enum class RunState {
  kEmpty,     // no step has been measured
  kRunning,   // a process holds the run's lock
  kFinished,  // the last step of train.steps is done
  kStopped,   // it ended before that, and can go on
  kEarly,     // it ended itself before that: stop.patience
  kDiverged,  // its last loss is not finite, or it says so
};
// "empty", "running", "finished", "stopped", "early", "diverged".
std::string_view state_name(RunState state);

struct ConfigEntry {
  std::string key;     // dotted: model.norm.kind, data.sources[0].path
  std::string value;   // as TOML
  std::string origin;  // "default", "run.toml:3", "--set"; empty where it is not known
};

struct NamedValue {
  std::string key, value;
};

struct RunData {
  std::string name;  // last part of the path
  std::string path;
  RunState state = RunState::kEmpty;
  std::map<std::string, Curve, std::less<>> metrics, evals;
  Curve seconds;                   // of training so far, by step, from tokens and speed
  std::vector<SampleRow> samples;  // by step
  std::vector<EventRow> events;    // by step
  std::map<std::string, std::string> meta;
  std::vector<ConfigEntry> config;      // in the order of config.toml
  std::vector<NamedValue> environment;  // env.json, nested keys dotted
  std::vector<std::string> notes;       // what could not be read and why, one sentence each

  // Empty curves for a name that was not measured.
  const Curve& metric(std::string_view metric) const;
  const Curve& eval(std::string_view eval) const;
  // The value of a config key as TOML, empty when there is none.
  std::string config_value(std::string_view key) const;
  // A number of `meta`, NaN when absent or not a number.
  double meta_number(std::string_view key) const;
};

// Reads the run at `path`. DataError when that is not a run: no folder, or no config.toml in it.
// To see whether the run is in use its lock is tried for an instant, shared.
RunData load_run_data(const std::string& path);

// Keys and values of the text that to_toml() writes (config/print.h): one key a line, tables as
// headers, comments after values taken as origins. Lines of any other form are passed over.
std::vector<ConfigEntry> read_resolved_config(std::string_view toml);

// The figures of one run that tables show; NaN and -1 where they are not known.
struct RunSummary {
  std::string run;  // path
  std::string name;
  RunState state = RunState::kEmpty;
  std::string reason;        // why it is diverged; empty otherwise
  int64_t steps = 0;         // done
  int64_t total_steps = -1;  // train.steps
  double tokens = 0;
  double val_loss = 0;  // newest evaluation, nats per token
  double best_val_loss = 0;
  int64_t best_val_step = -1;
  double train_loss = 0;         // mean of the last 20 steps
  double tokens_per_second = 0;  // median over the steps
  double seconds = 0;            // of training
  double parameters = 0;
  double floor = 0;  // known entropy of the data, nats per token
};
RunSummary summarize(const RunData& run);

}  // namespace keel
