// The log of a trainer that is not ours, as losses by step.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace keel {

struct LogColumns {
  std::string step, loss;
  std::string val_loss;  // empty: the log has none
};
// From "step=iter", "loss=train_loss", "val_loss="; what is not named has its own name.
// ConfigError.
LogColumns log_columns(const std::vector<std::string>& columns);

struct LogRow {
  int64_t step = 0;
  std::optional<double> loss, val_loss;
};
// The rows of a log: .csv, .jsonl, or TensorBoard's event files, one or a folder of them, whose
// tags are the columns. Unless the log is `whole`, a last row that is being written is left out.
// DataError naming file and line: no such log, unreadable, without one of the columns, a value that
// is no number.
std::vector<LogRow> read_log(const std::string& path, const LogColumns& columns, bool whole);
// Whether read_log knows what such a file is, by its name.
bool is_log_name(const std::string& path);

struct LoggedRun {
  std::vector<double> losses;  // one a step, each that of the last row before it
  std::optional<double> val_loss;
  std::string not_finite;  // what was not finite, and in which step; then the losses end there
};
// Steps may be counted from 0 or from 1, and not all be logged. `steps`: that were to be done, or 0
// for as many as there are. DataError where the log holds no loss, ends early though all of it is
// finite, or goes on beyond.
LoggedRun logged_run(const std::vector<LogRow>& rows, int64_t steps);
// The same of a log that is still being written: as far as it goes.
LoggedRun logged_so_far(const std::vector<LogRow>& rows);

}  // namespace keel
