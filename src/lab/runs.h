// `keel runs ls DIR` and `keel runs compare RUN...`: runs as rows, for people and as JSON.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "io/json.h"
#include "lab/run_data.h"

namespace keel {

// Paths of the runs in `folder` (folders with a config.toml, at most three levels down, not inside
// a run), sorted; `folder` itself if it is one. DataError when there is no such folder.
std::vector<std::string> find_runs(const std::string& folder);

// The figures of each; DataError for a path that is not a run.
std::vector<RunSummary> summarize_runs(std::span<const std::string> paths);

// A header and one line for each run, columns aligned; "no runs" when there is none.
std::string runs_table(std::span<const RunSummary> runs);
// [{"run", "steps", "tokens", "val_loss", "train_loss", "tokens_per_second", "state"}, ...]; null
// for what is not known or not finite.
Json runs_json(std::span<const RunSummary> runs);

// A config key whose value is not the same in all runs, with each run's value ("" where absent).
struct ConfigRow {
  std::string key;
  std::vector<std::string> values;
};
std::vector<ConfigRow> config_differences(std::span<const RunData> runs);

// runs_table, then a table of the config keys in which the runs differ.
std::string compare_table(std::span<const RunData> runs);
// {"runs": runs_json, "config": [{"key", "values": [...]}, ...]}
Json compare_json(std::span<const RunData> runs);

}  // namespace keel
