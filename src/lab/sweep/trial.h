// One trial of a sweep or of a search for a frontier: what is to be run, and what came of it.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace keel {

// A trial as a file asks for it.
struct TrialPlan {
  std::string id;                 // hash of everything that the outcome depends on
  std::string arm;                // of a frontier; empty in a sweep
  std::vector<std::string> sets;  // "key=value" as --set takes them, the seed included
  // What differs between trials, for tables and {placeholders}: key -> value as text.
  std::vector<std::pair<std::string, std::string>> values;
  int64_t seed = 0;
};

enum class TrialState : uint8_t { kPending, kRunning, kDone, kFailed };
// "pending", "running", "done", "failed".
const char* name_of(TrialState state);

enum class TrialEnd : uint8_t { kFinished, kStoppedEarly, kNotFinite };
// "finished", "stopped early", "not finite".
const char* name_of(TrialEnd end);
// DataError for a name that is none of these.
TrialEnd trial_end(std::string_view name);

// A quantity measured in a trial beside its loss, by step ("out_norm_qkv/layer00").
struct TrialSeries {
  std::vector<int64_t> steps;
  std::vector<double> values;
};

// What a trial came to. Labels are not in it: they are computed from it, by judge_run alone.
struct TrialResult {
  std::vector<double> losses;  // training, nats a token, one a step; fewer where it ended early
  double val_loss = 0;         // after the last step; NaN where it ended before that
  int64_t steps = 0;           // that were to be done
  TrialEnd ended = TrialEnd::kFinished;
  std::string reason;       // why, where it ended before its last step
  int64_t tokens = 0;       // of all steps that were done
  double seconds = 0;       // of training, all attempts of a resumed trial together
  double step_seconds = 0;  // median
  int64_t peak_bytes = 0;   // of the process; 0 where unknown
  // Numbers of the run that are not series: "update_ratio_after_warmup", "attn_logit_rms_at_init".
  std::map<std::string, double> numbers;
  std::map<std::string, TrialSeries> series;
};

// A row of the store.
struct TrialRow {
  TrialPlan plan;
  TrialState state = TrialState::kPending;
  int64_t attempts = 0;  // that failed by themselves
  std::string error;     // of the last such attempt
  std::optional<TrialResult> result;
};

}  // namespace keel
