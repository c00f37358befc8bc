// Numbers of a run in one SQLite file (WAL, so that reports can read while training writes). The
// tables are documented in docs/metrics.md. A store that cannot be written never stops training:
// the writer does not throw, and failure() says what is wrong. metrics_log.h goes on in another
// store then.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace keel {

class MetricsWriter {
 public:
  // Opens or makes the store at `path`.
  explicit MetricsWriter(const std::string& path);
  ~MetricsWriter();  // commits
  MetricsWriter(const MetricsWriter&) = delete;
  MetricsWriter& operator=(const MetricsWriter&) = delete;

  // For a resume at `step`: removes the rows of all later steps, so that each step appears once.
  void remove_after(int64_t step);

  // A value for (step, name) replaces an earlier one. Values need not be finite.
  void metric(int64_t step, std::string_view name, double value);
  void eval(int64_t step, std::string_view name, double value);
  void sample(int64_t step, std::string_view text);
  // Something that happened: kind is a short word (save, resume, warning, stop), time is seconds
  // since 1970.
  void event(int64_t step, double time, std::string_view kind, std::string_view text);
  void meta(std::string_view key, std::string_view value);

  void commit();
  // Commits and brings everything to disk.
  void flush();

  // After a failure nothing more is written, and what was not yet committed is not in the store.
  bool failed() const;
  // Why, empty while all is well; and whether it was for want of space or an I/O error, so that the
  // store is sound and may be written again later.
  const std::string& failure() const;
  bool failed_for_space() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

struct MetricPoint {
  int64_t step;
  double value;
};
struct SampleRow {
  int64_t step;
  std::string text;
};
struct EventRow {
  int64_t step;
  double time;
  std::string kind, text;
};

// Reads a store, also one that is being written. Every call throws DataError naming the file when
// it is missing, not such a store, or damaged.
class MetricsReader {
 public:
  explicit MetricsReader(const std::string& path);
  ~MetricsReader();
  MetricsReader(const MetricsReader&) = delete;
  MetricsReader& operator=(const MetricsReader&) = delete;

  std::vector<std::string> metric_names() const;  // sorted
  std::vector<std::string> eval_names() const;
  // By step; empty for a name that was never written.
  std::vector<MetricPoint> metric(std::string_view name) const;
  std::vector<MetricPoint> eval(std::string_view name) const;
  std::vector<SampleRow> samples() const;
  std::vector<EventRow> events() const;
  std::map<std::string, std::string> meta() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace keel
