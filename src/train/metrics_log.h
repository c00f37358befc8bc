// All metrics of a run, over as many stores as it took. The first is RUN/metrics.db; when it cannot
// be written (locked, read-only, damaged) it is left as it is and the run goes on in metrics-2.db,
// and so on. A later store says in its meta table after which step it begins ("after_step"): what
// earlier ones hold of later steps is of steps that were lost and done again.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/fs.h"
#include "train/metrics_store.h"

namespace keel {

// Those that exist, oldest first.
std::vector<std::string> metrics_stores(const std::string& run);
// Brings to disk what was committed to them, from any thread. What fails here fails for the log
// too, which then says so.
void sync_metrics(Fs& fs, const std::string& run) noexcept;

// Writes. Nothing here throws or stops training: take_warning() says what is wrong and what became
// of it. Rows wait in memory until they are committed, so a store that fails loses none; on a full
// disk they wait until there is space, the oldest given up beyond kMostWaiting.
class MetricsLog {
 public:
  static constexpr size_t kMostWaiting = 200'000;

  // Opens the newest store of the run, or makes the first one. For a resume at `step`: from here on
  // no row of a later step is to be found. -1: a new run.
  explicit MetricsLog(const std::string& run, int64_t resumed_at = -1);
  ~MetricsLog();  // commits
  MetricsLog(const MetricsLog&) = delete;
  MetricsLog& operator=(const MetricsLog&) = delete;

  void metric(int64_t step, std::string_view name, double value);
  void eval(int64_t step, std::string_view name, double value);
  void sample(int64_t step, std::string_view text);
  void event(int64_t step, double time, std::string_view kind, std::string_view text);
  void meta(std::string_view key, std::string_view value);
  // Commits about once a second.
  void end_step();
  // Commits what waits, so that it outlives this process.
  void commit();
  // The same, and brings it to disk, so that it outlives a power cut.
  void flush();
  std::string take_warning();

 private:
  enum class Table : uint8_t { kMetric, kEval, kSample, kEvent };
  struct Row {
    Table table;
    int64_t step;
    double value;  // of an event: its time
    std::string name, text;
  };

  void add(Row row);
  enum class Write : uint8_t { kNowAndThen, kCommit, kToDisk };
  void write(Write how);
  void write_rows();
  bool reopened(bool at_once);
  void after_failure();
  void begin_next();
  void warn(const std::string& text);

  std::string run_;
  int number_ = 1;                        // of the store in use
  std::unique_ptr<MetricsWriter> store_;  // null: none could be had, or the disk is full
  bool given_up_ = false;
  std::vector<Row> waiting_;
  std::map<std::string, std::string> meta_;
  bool meta_waits_ = false;
  int64_t begins_after_ = 0;  // the store in use
  int64_t remove_after_;      // a removal that is still to be done, or -1
  int64_t last_step_;         // that the run has come to
  double committed_at_ = 0, retry_at_ = 0;
  bool full_ = false, rows_given_up_ = false;
  std::string warning_;
};

// Reads all stores as one, as MetricsReader does one. DataError when there is none, or none that
// can be read.
class RunMetrics {
 public:
  explicit RunMetrics(const std::string& run);
  ~RunMetrics();
  RunMetrics(const RunMetrics&) = delete;
  RunMetrics& operator=(const RunMetrics&) = delete;

  std::vector<std::string> metric_names() const;
  std::vector<std::string> eval_names() const;
  std::vector<MetricPoint> metric(std::string_view name) const;
  std::vector<MetricPoint> eval(std::string_view name) const;
  std::vector<SampleRow> samples() const;
  std::vector<EventRow> events() const;
  std::map<std::string, std::string> meta() const;
  // Stores, or parts of them, that could not be read.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  struct Store;
  template <class Read>
  void each_store(Read read) const;
  template <class T, class Get>
  std::vector<T> all(Get get) const;
  template <class Get>
  std::vector<std::string> names(Get get) const;
  template <class Get>
  std::vector<MetricPoint> points(Get get) const;

  std::vector<std::unique_ptr<Store>> stores_;  // oldest first
  mutable std::vector<std::string> notes_;
};

}  // namespace keel
