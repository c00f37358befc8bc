#include "lab/sweep/trial_log.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>

#include "config/text.h"
#include "core/error.h"
#include "io/csv.h"
#include "io/fs.h"
#include "io/json.h"
#include "io/tfevents_reader.h"

namespace keel {
namespace {

constexpr size_t kMostLogBytes = size_t{256} << 20;
constexpr int64_t kMostSteps = int64_t{1} << 30;

bool is_csv(const std::string& path) { return path.ends_with(".csv"); }
bool is_jsonl(const std::string& path) { return path.ends_with(".jsonl"); }
bool is_event_file(const std::string& name) { return name.find("tfevents") != name.npos; }

[[noreturn]] void lacks(const std::string& path, const std::string& what, const std::string& column,
                        const std::vector<std::string>& known) {
  throw DataError(fmt::format("{}: has no {} \"{}\"{} (it has: {}); trial.columns names them", path,
                              what, column, suggestion(column, known), fmt::join(known, ", ")));
}

int64_t step_of(double value, const std::string& place) {
  const bool good = value >= 0 && value < static_cast<double>(kMostSteps);
  if (!good || value != std::floor(value)) {
    throw DataError(
        fmt::format("{}: a step must be a whole number from 0 on, is {}", place, value));
  }
  return static_cast<int64_t>(value);
}

// Nothing where nothing stands.
std::optional<double> number_of(const std::string& text, const std::string& place) {
  if (text.empty()) return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (end != text.c_str() + text.size()) {
    throw DataError(fmt::format("{}: {} is no number", place, quote_text(text)));
  }
  return value;
}

std::vector<LogRow> read_csv(const std::string& path, const LogColumns& c, bool whole) {
  const CsvTable table = parse_csv(real_fs().read_file(path, kMostLogBytes), path, whole);
  const auto column = [&](const std::string& name) {
    const auto it = std::find(table.names.begin(), table.names.end(), name);
    if (it == table.names.end()) lacks(path, "column", name, table.names);
    return static_cast<size_t>(it - table.names.begin());
  };
  const size_t step = column(c.step), loss = column(c.loss);
  const std::optional<size_t> val =
      c.val_loss.empty() ? std::nullopt : std::optional(column(c.val_loss));
  std::vector<LogRow> rows;
  for (size_t i = 0; i < table.rows.size(); ++i) {
    const std::vector<std::string>& values = table.rows[i];
    const std::string place = fmt::format("{}: row {}", path, i + 1);
    const std::optional<double> at = number_of(values[step], place);
    if (!at) throw DataError(place + ": has no step");
    LogRow& row = rows.emplace_back();
    row.step = step_of(*at, place);
    row.loss = number_of(values[loss], place);
    if (val) row.val_loss = number_of(values[*val], place);
  }
  return rows;
}

// JSON has no NaN: null, and the words that programs write for it, stand for one.
std::optional<double> number_in(const Json& row, const std::string& name,
                                const std::string& place) {
  const Json* v = row.find(name);
  if (v == nullptr || v->is_null()) return std::nullopt;
  if (v->is_number()) return v->as_double();
  if (v->is_string()) return number_of(v->as_string(), place);
  throw DataError(fmt::format("{}: {} is no number", place, quote_text(name)));
}

// Python writes NaN, Infinity and -Infinity, which strict JSON has no words for.
std::string with_quoted_words(const std::string& line) {
  std::string out;
  bool in_text = false;
  for (size_t i = 0; i < line.size();) {
    if (line[i] == '"' && (i == 0 || line[i - 1] != '\\')) in_text = !in_text;
    size_t word = 0;
    for (const char* w : {"NaN", "-Infinity", "Infinity"}) {
      if (!in_text && word == 0 && line.compare(i, std::string(w).size(), w) == 0) {
        word = std::string(w).size();
      }
    }
    if (word > 0) {
      out += "\"" + line.substr(i, word) + "\"";
      i += word;
    } else {
      out += line[i++];
    }
  }
  return out;
}

std::vector<LogRow> read_jsonl(const std::string& path, const LogColumns& c, bool whole) {
  const std::string text = real_fs().read_file(path, kMostLogBytes);
  std::vector<LogRow> rows;
  bool any_loss = false, any_val = c.val_loss.empty();
  std::vector<std::string> known;
  int64_t number = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    if (end == text.npos && !whole) break;
    const std::string line = text.substr(at, end == text.npos ? end : end - at);
    at = end == text.npos ? text.size() : end + 1;
    ++number;
    if (line.find_first_not_of(" \t\r") == line.npos) continue;
    const std::string place = fmt::format("{}:{}", path, number);
    const Json json = parse_json(with_quoted_words(line), place);
    for (const JsonMember& m : json.as_object()) {
      if (std::find(known.begin(), known.end(), m.key) == known.end()) known.push_back(m.key);
    }
    LogRow row;
    const std::optional<double> step = number_in(json, c.step, place);
    if (!step) continue;  // of something else
    row.step = step_of(*step, place);
    row.loss = number_in(json, c.loss, place);
    if (!c.val_loss.empty()) row.val_loss = number_in(json, c.val_loss, place);
    any_loss |= row.loss.has_value();
    any_val |= row.val_loss.has_value();
    rows.push_back(row);
  }
  if (!whole) return rows;
  if (rows.empty()) lacks(path, "key", c.step, known);
  if (!any_loss) lacks(path, "key", c.loss, known);
  if (!any_val) lacks(path, "key", c.val_loss, known);
  return rows;
}

std::vector<std::string> event_files(const std::string& path) {
  Fs& fs = real_fs();
  if (!fs.is_dir(path)) return {path};
  std::vector<std::string> files;
  for (const std::string& name : fs.list(path)) {
    if (is_event_file(name)) files.push_back(join_path(path, name));
  }
  if (files.empty()) throw DataError(path + ": holds no event file");
  return files;
}

std::vector<LogRow> read_events(const std::string& path, const LogColumns& c, bool whole) {
  std::map<int64_t, LogRow> by_step;
  std::vector<std::string> known;
  bool any_loss = false, any_val = c.val_loss.empty();
  for (const std::string& file : event_files(path)) {
    const std::string bytes = real_fs().read_file(file, kMostLogBytes);
    for (const EventScalar& e : read_event_scalars(bytes, file)) {
      if (std::find(known.begin(), known.end(), e.tag) == known.end()) known.push_back(e.tag);
      if (e.tag != c.loss && (c.val_loss.empty() || e.tag != c.val_loss)) continue;
      LogRow& row = by_step[step_of(static_cast<double>(e.step), file)];
      row.step = e.step;
      (e.tag == c.loss ? row.loss : row.val_loss) = e.value;
      (e.tag == c.loss ? any_loss : any_val) = true;
    }
  }
  if (whole && !any_loss) lacks(path, "tag", c.loss, known);
  if (whole && !any_val) lacks(path, "tag", c.val_loss, known);
  std::vector<LogRow> rows;
  rows.reserve(by_step.size());
  for (auto& [step, row] : by_step) rows.push_back(row);
  return rows;
}

// Losses by step from 0 on; the later row counts where a step is there twice.
std::map<int64_t, double> losses_of(const std::vector<LogRow>& rows) {
  std::map<int64_t, double> losses;
  for (const LogRow& r : rows) {
    if (r.loss) losses[r.step] = *r.loss;
  }
  if (losses.empty() || losses.begin()->first == 0) return losses;
  std::map<int64_t, double> from_0;
  for (const auto& [step, loss] : losses) from_0[step - 1] = loss;
  return from_0;
}

}  // namespace

LogColumns log_columns(const std::vector<std::string>& columns) {
  LogColumns out{"step", "loss", "val_loss"};
  const std::vector<std::pair<std::string, std::string*>> known = {
      {"step", &out.step}, {"loss", &out.loss}, {"val_loss", &out.val_loss}};
  for (const std::string& c : columns) {
    const std::string what = c.substr(0, c.find('='));
    const auto it = std::find_if(known.begin(), known.end(),
                                 [&](const auto& entry) { return entry.first == what; });
    if (it == known.end() || what.size() == c.size()) {
      throw ConfigError(fmt::format("columns: {} is none of step=, loss=, val_loss=", c));
    }
    *it->second = c.substr(what.size() + 1);
  }
  return out;
}

bool is_log_name(const std::string& path) {
  return is_csv(path) || is_jsonl(path) || is_event_file(base_name(path)) ||
         path.find('.') == path.npos || path.ends_with('/');
}

std::vector<LogRow> read_log(const std::string& path, const LogColumns& columns, bool whole) {
  if (!real_fs().exists(path)) throw DataError(path + ": the command has written no such log");
  if (is_csv(path)) return read_csv(path, columns, whole);
  if (is_jsonl(path)) return read_jsonl(path, columns, whole);
  return read_events(path, columns, whole);
}

LoggedRun logged_so_far(const std::vector<LogRow>& rows) {
  LoggedRun run;
  for (const LogRow& r : rows) {
    if (r.val_loss) run.val_loss = r.val_loss;
  }
  const std::map<int64_t, double> losses = losses_of(rows);
  if (losses.empty()) return run;
  double last = losses.begin()->second;
  for (const auto& [step, loss] : losses) {
    while (std::ssize(run.losses) < step) run.losses.push_back(last);
    run.losses.push_back(last = loss);
    if (std::isfinite(loss)) continue;
    run.not_finite = fmt::format("the loss is {} in step {}", plain(loss), step + 1);
    break;
  }
  return run;
}

LoggedRun logged_run(const std::vector<LogRow>& rows, int64_t steps) {
  LoggedRun run = logged_so_far(rows);
  const auto logged = std::ssize(run.losses);
  if (logged == 0) throw DataError("the log holds no loss");
  if (steps == 0) return run;
  if (logged > steps) {
    throw DataError(
        fmt::format("the log goes on to step {}, and trial.steps is {}", logged, steps));
  }
  if (!run.not_finite.empty()) return run;
  // What is logged now and then need not end with the last step.
  int64_t widest = 1, before = -1;
  for (const auto& [step, loss] : losses_of(rows)) {
    if (before >= 0) widest = std::max(widest, step - before);
    before = step;
  }
  if (logged + widest <= steps) {
    throw DataError(fmt::format("the log ends at step {} of {}", logged, steps));
  }
  run.losses.resize(static_cast<size_t>(steps), run.losses.back());
  return run;
}

}  // namespace keel
