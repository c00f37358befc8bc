#include "train/metrics_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

#include "core/clock.h"
#include "core/error.h"
#include "io/fs.h"

namespace keel {
namespace {

constexpr const char* kAfterStep = "after_step";
constexpr double kCommitSeconds = 1, kRetrySeconds = 5;

std::string store_name(int number) {
  return number == 1 ? "metrics.db" : fmt::format("metrics-{}.db", number);
}

// 0 for what is no store.
int number_of(const std::string& name) {
  if (name == store_name(1)) return 1;
  constexpr std::string_view kBegin = "metrics-";
  if (!name.starts_with(kBegin)) return 0;
  int n = 0;
  std::from_chars(name.data() + kBegin.size(), name.data() + name.size(), n);
  return n > 1 && store_name(n) == name ? n : 0;
}

// The step after which a store begins, as it says itself; 0 for the first one.
int64_t beginning(const MetricsReader& store) {
  const auto meta = store.meta();
  const auto it = meta.find(kAfterStep);
  int64_t step = 0;
  if (it != meta.end()) {
    std::from_chars(it->second.data(), it->second.data() + it->second.size(), step);
  }
  return step;
}

int64_t beginning_of(const std::string& path) {
  try {
    return beginning(MetricsReader(path));
  } catch (const DataError&) {
    return 0;  // the writer will find out what is wrong with it
  }
}

std::vector<int> store_numbers(const std::string& run) {
  std::vector<int> numbers;
  if (!real_fs().is_dir(run)) return numbers;
  for (const std::string& name : real_fs().list(run)) {
    if (const int n = number_of(name); n > 0) numbers.push_back(n);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

}  // namespace

std::vector<std::string> metrics_stores(const std::string& run) {
  std::vector<std::string> paths;
  for (const int n : store_numbers(run)) paths.push_back(join_path(run, store_name(n)));
  return paths;
}

// Committed rows are in the write-ahead log until SQLite moves them into the store.
void sync_metrics(Fs& fs, const std::string& run) noexcept {
  try {
    for (const std::string& path : metrics_stores(run)) {
      const std::string log = path + "-wal";
      if (fs.exists(log)) fs.sync_file(log);
    }
  } catch (const std::exception&) {
    // The system gives the error to the store's own handle as well.
  }
}

MetricsLog::MetricsLog(const std::string& run, int64_t resumed_at)
    : run_(run),
      remove_after_(resumed_at),
      last_step_(std::max<int64_t>(resumed_at, 0)),
      committed_at_(seconds_now()) {
  if (const std::vector<int> numbers = store_numbers(run); !numbers.empty()) {
    number_ = numbers.back();
    begins_after_ = beginning_of(join_path(run, store_name(number_)));
  }
  write(Write::kNowAndThen);
}

MetricsLog::~MetricsLog() { write(Write::kToDisk); }

void MetricsLog::warn(const std::string& text) {
  warning_ += (warning_.empty() ? "" : "; ") + text;
}

std::string MetricsLog::take_warning() { return std::exchange(warning_, {}); }

void MetricsLog::add(Row row) {
  if (given_up_) return;
  last_step_ = std::max(last_step_, row.step);
  waiting_.push_back(std::move(row));
  if (waiting_.size() <= kMostWaiting) return;
  waiting_.erase(waiting_.begin(), waiting_.begin() + kMostWaiting / 2);
  if (!std::exchange(rows_given_up_, true)) warn("metrics that could not be written are given up");
}

void MetricsLog::metric(int64_t step, std::string_view name, double value) {
  add({Table::kMetric, step, value, std::string(name), {}});
}

void MetricsLog::eval(int64_t step, std::string_view name, double value) {
  add({Table::kEval, step, value, std::string(name), {}});
}

void MetricsLog::sample(int64_t step, std::string_view text) {
  add({Table::kSample, step, 0, {}, std::string(text)});
}

void MetricsLog::event(int64_t step, double time, std::string_view kind, std::string_view text) {
  add({Table::kEvent, step, time, std::string(kind), std::string(text)});
}

void MetricsLog::meta(std::string_view key, std::string_view value) {
  meta_.insert_or_assign(std::string(key), std::string(value));
  meta_waits_ = true;
}

void MetricsLog::end_step() {
  if (seconds_now() - committed_at_ >= kCommitSeconds) write(Write::kNowAndThen);
}

void MetricsLog::commit() { write(Write::kCommit); }

void MetricsLog::flush() { write(Write::kToDisk); }

// False while nothing can be written. A full disk is tried again now and then, and before each
// checkpoint.
bool MetricsLog::reopened(bool at_once) {
  if (given_up_) return false;
  if (store_ != nullptr) return true;
  if (!at_once && seconds_now() < retry_at_) return false;
  store_ = std::make_unique<MetricsWriter>(join_path(run_, store_name(number_)));
  return true;
}

void MetricsLog::write(Write how) {
  committed_at_ = seconds_now();
  if (!reopened(how != Write::kNowAndThen)) return;
  write_rows();
  store_->commit();
  if (!store_->failed()) {
    waiting_.clear();
    meta_waits_ = full_ = false;
    remove_after_ = -1;
  }
  if (how == Write::kToDisk) store_->flush();
  if (store_->failed()) after_failure();
}

void MetricsLog::write_rows() {
  if (remove_after_ >= 0) {
    store_->remove_after(remove_after_);
    // With the rows of a store that began later than the run now goes on, its beginning moves.
    if (remove_after_ < begins_after_) store_->meta(kAfterStep, std::to_string(remove_after_));
  }
  if (meta_waits_) {
    for (const auto& [key, value] : meta_) store_->meta(key, value);
  }
  for (const Row& r : waiting_) {
    switch (r.table) {
      case Table::kMetric:
        store_->metric(r.step, r.name, r.value);
        break;
      case Table::kEval:
        store_->eval(r.step, r.name, r.value);
        break;
      case Table::kSample:
        store_->sample(r.step, r.text);
        break;
      case Table::kEvent:
        store_->event(r.step, r.value, r.name, r.text);
        break;
    }
  }
}

void MetricsLog::after_failure() {
  if (!store_->failed_for_space()) return begin_next();
  if (!std::exchange(full_, true)) {
    warn(store_->failure() + "; metrics wait until it can be written");
  }
  store_.reset();
  retry_at_ = seconds_now() + kRetrySeconds;
}

// The store is left as it is. One that cannot even be begun is the end: the folder is at fault.
void MetricsLog::begin_next() {
  const std::string reason = store_->failure();
  store_ = std::make_unique<MetricsWriter>(join_path(run_, store_name(++number_)));
  store_->meta(kAfterStep, std::to_string(last_step_));
  begins_after_ = last_step_;
  meta_waits_ = !meta_.empty();
  remove_after_ = -1;
  write_rows();
  store_->commit();
  if (!store_->failed()) {
    warn(fmt::format("{}; metrics go on in {}", reason, store_name(number_)));
    waiting_.clear();
    meta_waits_ = false;
  } else if (store_->failed_for_space()) {
    after_failure();
  } else {
    warn(fmt::format("{}; {}; no metrics are written", reason, store_->failure()));
    store_.reset();
    waiting_.clear();
    given_up_ = true;
  }
}

struct RunMetrics::Store {
  Store(const std::string& path, std::vector<std::string>& notes) : name(base_name(path)) {
    try {
      reader = std::make_unique<MetricsReader>(path);
      after = beginning(*reader);
    } catch (const DataError& e) {
      reader.reset();
      notes.push_back(
          fmt::format("{} cannot be read, so what it holds is missing: {}", name, e.what()));
    }
  }

  std::string name;
  std::unique_ptr<MetricsReader> reader;  // null: it cannot be read
  int64_t after = 0;                      // it begins after that step
  int64_t last = INT64_MAX;               // what it holds beyond counts no more
};

RunMetrics::RunMetrics(const std::string& run) {
  std::vector<std::string> paths = metrics_stores(run);
  if (paths.empty()) paths.push_back(join_path(run, store_name(1)));
  bool any = false;
  for (const std::string& path : paths) {
    stores_.push_back(std::make_unique<Store>(path, notes_));
    any |= stores_.back()->reader != nullptr;
  }
  if (!any) const MetricsReader why(paths.front());  // throws
  for (size_t i = stores_.size() - 1; i > 0; --i) {
    const int64_t begins = stores_[i]->reader ? stores_[i]->after : INT64_MAX;
    stores_[i - 1]->last = std::min(stores_[i]->last, begins);
  }
}

RunMetrics::~RunMetrics() = default;

// What can be read of each store, oldest first; of the rest a note.
template <class Read>
void RunMetrics::each_store(Read read) const {
  for (const auto& store : stores_) {
    if (!store->reader) continue;
    try {
      read(*store);
    } catch (const DataError& e) {
      notes_.push_back(fmt::format("a part of {} cannot be read: {}", store->name, e.what()));
    }
  }
}

// The rows of all stores without those of lost steps.
template <class T, class Get>
std::vector<T> RunMetrics::all(Get get) const {
  std::vector<T> out;
  each_store([&](const Store& store) {
    std::vector<T> rows = get(*store.reader);
    std::erase_if(rows, [&](const T& r) { return r.step > store.last; });
    if (out.empty()) {
      out = std::move(rows);
    } else {
      out.insert(out.end(), std::make_move_iterator(rows.begin()),
                 std::make_move_iterator(rows.end()));
    }
  });
  return out;
}

// Each step once: a value of a later store replaces that of an earlier one.
template <class Get>
std::vector<MetricPoint> RunMetrics::points(Get get) const {
  std::vector<MetricPoint> out = all<MetricPoint>(get);
  if (stores_.size() == 1) return out;
  std::stable_sort(out.begin(), out.end(),
                   [](const MetricPoint& a, const MetricPoint& b) { return a.step < b.step; });
  size_t kept = 0;
  for (const MetricPoint& p : out) {
    if (kept > 0 && out[kept - 1].step == p.step) --kept;
    out[kept++] = p;
  }
  out.resize(kept);
  return out;
}

template <class Get>
std::vector<std::string> RunMetrics::names(Get get) const {
  std::set<std::string> sorted;
  each_store([&](const Store& store) {
    for (std::string& name : get(*store.reader)) sorted.insert(std::move(name));
  });
  return {sorted.begin(), sorted.end()};
}

std::vector<std::string> RunMetrics::metric_names() const {
  return names([](const MetricsReader& r) { return r.metric_names(); });
}

std::vector<std::string> RunMetrics::eval_names() const {
  return names([](const MetricsReader& r) { return r.eval_names(); });
}

std::vector<MetricPoint> RunMetrics::metric(std::string_view name) const {
  return points([&](const MetricsReader& r) { return r.metric(name); });
}

std::vector<MetricPoint> RunMetrics::eval(std::string_view name) const {
  return points([&](const MetricsReader& r) { return r.eval(name); });
}

std::vector<SampleRow> RunMetrics::samples() const {
  std::vector<SampleRow> out = all<SampleRow>([](const MetricsReader& r) { return r.samples(); });
  std::stable_sort(out.begin(), out.end(),
                   [](const SampleRow& a, const SampleRow& b) { return a.step < b.step; });
  return out;
}

std::vector<EventRow> RunMetrics::events() const {
  return all<EventRow>([](const MetricsReader& r) { return r.events(); });
}

std::map<std::string, std::string> RunMetrics::meta() const {
  std::map<std::string, std::string> out;
  each_store([&](const Store& store) {
    for (auto& [key, value] : store.reader->meta()) out.insert_or_assign(key, value);
  });
  out.erase(kAfterStep);
  return out;
}

}  // namespace keel
