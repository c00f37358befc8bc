#include "lab/runs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "io/fs.h"
#include "lab/text.h"
#include "train/run_dir.h"

namespace keel {
namespace {

constexpr int kSearchDepth = 3;

void search(const std::string& folder, int depth, std::vector<std::string>& found) {
  Fs& fs = real_fs();
  if (is_run(fs, folder)) {
    found.push_back(folder);
    return;
  }
  if (depth == 0) return;
  for (const std::string& name : fs.list(folder)) {
    const std::string path = join_path(folder, name);
    if (!name.starts_with('.') && fs.is_dir(path)) search(path, depth - 1, found);
  }
}

std::string loss_text(double loss) {
  return std::isfinite(loss) ? fmt::format("{:.4f}", loss) : "-";
}

std::vector<RunSummary> summaries(std::span<const RunData> runs) {
  std::vector<RunSummary> out;
  for (const RunData& run : runs) out.push_back(summarize(run));
  return out;
}

}  // namespace

std::vector<std::string> find_runs(const std::string& folder) {
  if (!real_fs().is_dir(folder)) throw DataError(fmt::format("{}: no such folder", folder));
  std::vector<std::string> found;
  search(folder, kSearchDepth, found);
  return found;
}

std::vector<RunSummary> summarize_runs(std::span<const std::string> paths) {
  std::vector<RunSummary> out;
  for (const std::string& path : paths) out.push_back(summarize(load_run_data(path)));
  return out;
}

std::string runs_table(std::span<const RunSummary> runs) {
  if (runs.empty()) return "no runs\n";
  std::vector<std::vector<std::string>> rows;
  for (const RunSummary& run : runs) {
    std::string steps = std::to_string(run.steps);
    if (run.total_steps > 0) steps += "/" + std::to_string(run.total_steps);
    rows.push_back({run.run, std::string(state_name(run.state)), steps, short_count(run.tokens),
                    loss_text(run.val_loss), loss_text(run.train_loss),
                    short_count(run.tokens_per_second)});
  }
  return aligned_table({{"run", false},
                        {"state", false},
                        {"steps"},
                        {"tokens"},
                        {"val_loss"},
                        {"train_loss"},
                        {"tok/s"}},
                       rows);
}

Json runs_json(std::span<const RunSummary> runs) {
  Json out = Json::array();
  for (const RunSummary& run : runs) {
    Json row = Json::object();
    row.set("run", run.run).set("steps", run.steps);
    row.set("tokens", std::isfinite(run.tokens) ? Json(std::llround(run.tokens)) : Json(nullptr));
    row.set("val_loss", run.val_loss).set("train_loss", run.train_loss);
    row.set("tokens_per_second", run.tokens_per_second);
    out.push(row.set("state", state_name(run.state)));
  }
  return out;
}

std::vector<ConfigRow> config_differences(std::span<const RunData> runs) {
  std::vector<ConfigRow> rows;
  for (size_t i = 0; i < runs.size(); ++i) {
    for (const ConfigEntry& entry : runs[i].config) {
      auto row = std::find_if(rows.begin(), rows.end(),
                              [&](const ConfigRow& r) { return r.key == entry.key; });
      if (row == rows.end()) {
        row = rows.insert(rows.end(), {entry.key, std::vector<std::string>(runs.size())});
      }
      row->values[i] = entry.value;
    }
  }
  std::erase_if(rows, [](const ConfigRow& row) {
    return std::all_of(row.values.begin(), row.values.end(),
                       [&](const std::string& value) { return value == row.values.front(); });
  });
  return rows;
}

std::string compare_table(std::span<const RunData> runs) {
  std::string table = runs_table(summaries(runs));
  if (runs.size() < 2) return table;
  const std::vector<ConfigRow> differences = config_differences(runs);
  if (differences.empty()) return table + "\nthe configs are equal\n";
  std::vector<TableColumn> columns = {{"key", false}};
  for (const RunData& run : runs) columns.push_back({run.name, false});
  std::vector<std::vector<std::string>> rows;
  for (const ConfigRow& row : differences) {
    rows.push_back({row.key});
    for (const std::string& value : row.values) rows.back().push_back(value.empty() ? "-" : value);
  }
  return table + "\n" + aligned_table(columns, rows);
}

Json compare_json(std::span<const RunData> runs) {
  Json config = Json::array();
  for (const ConfigRow& row : config_differences(runs)) {
    config.push(Json::object().set("key", row.key).set("values", Json::array_of(row.values)));
  }
  return Json::object().set("runs", runs_json(summaries(runs))).set("config", std::move(config));
}

}  // namespace keel
