#include "train/metrics_store.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "core/error.h"
#include "io/database.h"

namespace keel {
namespace {

constexpr int kSchemaVersion = 1;
constexpr const char* kSchema = R"(
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE names(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE points(name_id INTEGER NOT NULL, step INTEGER NOT NULL, value NOT NULL,
                    PRIMARY KEY(name_id, step)) WITHOUT ROWID;
CREATE VIEW metrics AS
  SELECT step, name, value FROM points JOIN names ON names.id = points.name_id;
CREATE TABLE eval(name TEXT NOT NULL, step INTEGER NOT NULL, value NOT NULL,
                  PRIMARY KEY(name, step)) WITHOUT ROWID;
CREATE TABLE samples(id INTEGER PRIMARY KEY, step INTEGER NOT NULL, text TEXT NOT NULL);
CREATE TABLE events(id INTEGER PRIMARY KEY, step INTEGER NOT NULL, time REAL NOT NULL,
                    kind TEXT NOT NULL, text TEXT NOT NULL);
PRAGMA user_version = 1;
)";

constexpr const char* kWhat = "metrics store";

void check_version(const Database& db) {
  if (const int64_t v = db.pragma("user_version"); v != kSchemaVersion) {
    db.fail(fmt::format("schema {}, this program reads {}", v, kSchemaVersion));
  }
}

Database open_for_writing(const std::string& path) {
  Database db(path, kWhat, DatabaseUse::kWrite);
  db.run("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;");
  if (db.pragma("user_version") == 0) db.run(fmt::format("BEGIN;{}COMMIT;", kSchema).c_str());
  check_version(db);
  return db;
}

// A WAL store in a folder that cannot be written has no place for its shared memory; when nobody
// has it open it can be read as it lies.
Database open_for_reading(const std::string& path) {
  Database db(path, kWhat, DatabaseUse::kRead);
  try {
    check_version(db);
    return db;
  } catch (const DataError&) {
    if (last_database_failure() != DatabaseFailure::kNoPlace) throw;
  }
  Database still(path, kWhat, DatabaseUse::kReadAsItLies);
  check_version(still);
  return still;
}

}  // namespace

// The open store; gone after the first failure.
struct MetricsWriter::Impl {
  struct Store {
    explicit Store(const std::string& path) : db(open_for_writing(path)) {}
    ~Store() {
      try {
        commit();
      } catch (const DataError&) {
        // What was not committed is not in the store.
      }
    }

    void begin() {
      if (!in_transaction) db.run("BEGIN IMMEDIATE");
      in_transaction = true;
    }
    void commit() {
      if (in_transaction) db.run("COMMIT");
      in_transaction = false;
    }
    int64_t id_of(std::string_view name) {
      if (const auto it = ids.find(name); it != ids.end()) return it->second;
      Statement(db, "INSERT OR IGNORE INTO names(name) VALUES (?)").bind(name).step();
      Statement find(db, "SELECT id FROM names WHERE name = ?");
      find.bind(name).step();
      return ids.emplace(name, find.integer(0)).first->second;
    }

    Database db;
    Statement point{db, "INSERT OR REPLACE INTO points(name_id, step, value) VALUES (?, ?, ?)"};
    Statement eval{db, "INSERT OR REPLACE INTO eval(name, step, value) VALUES (?, ?, ?)"};
    Statement sample{db, "INSERT INTO samples(step, text) VALUES (?, ?)"};
    Statement event{db, "INSERT INTO events(step, time, kind, text) VALUES (?, ?, ?, ?)"};
    Statement meta{db, "INSERT OR REPLACE INTO meta(key, value) VALUES (?, ?)"};
    std::map<std::string, int64_t, std::less<>> ids;
    bool in_transaction = false;
  };

  // Does f(store); the first error ends the store and is kept.
  template <class F>
  void attempt(F f) {
    if (store == nullptr) return;
    try {
      f(*store);
    } catch (const DataError& e) {
      failed(e);
      store->in_transaction = false;
      store.reset();
    }
  }
  void failed(const DataError& e) {
    failure = e.what();
    no_space = last_database_failure() == DatabaseFailure::kNoSpace;
  }
  template <class F>
  void insert(F f) {
    attempt([&](Store& s) {
      s.begin();
      f(s);
    });
  }

  std::unique_ptr<Store> store;
  std::string failure;
  bool no_space = false;
};

MetricsWriter::MetricsWriter(const std::string& path) : impl_(std::make_unique<Impl>()) {
  try {
    impl_->store = std::make_unique<Impl::Store>(path);
  } catch (const DataError& e) {
    impl_->failed(e);
  }
}

MetricsWriter::~MetricsWriter() = default;

void MetricsWriter::remove_after(int64_t step) {
  impl_->insert([&](auto& s) {
    for (const char* table : {"points", "eval", "samples", "events"}) {
      const std::string sql = fmt::format("DELETE FROM {} WHERE step > ?", table);
      Statement(s.db, sql.c_str()).bind(step).step();
    }
    s.commit();
  });
}

void MetricsWriter::metric(int64_t step, std::string_view name, double value) {
  impl_->insert([&](auto& s) { s.point.bind(s.id_of(name)).bind(step).bind(value).run(); });
}

void MetricsWriter::eval(int64_t step, std::string_view name, double value) {
  impl_->insert([&](auto& s) { s.eval.bind(name).bind(step).bind(value).run(); });
}

void MetricsWriter::sample(int64_t step, std::string_view text) {
  impl_->insert([&](auto& s) { s.sample.bind(step).bind(text).run(); });
}

void MetricsWriter::event(int64_t step, double time, std::string_view kind, std::string_view text) {
  impl_->insert([&](auto& s) { s.event.bind(step).bind(time).bind(kind).bind(text).run(); });
}

void MetricsWriter::meta(std::string_view key, std::string_view value) {
  impl_->insert([&](auto& s) { s.meta.bind(key).bind(value).run(); });
}

void MetricsWriter::commit() {
  impl_->attempt([](auto& s) { s.commit(); });
}

void MetricsWriter::flush() {
  impl_->attempt([](auto& s) {
    s.commit();
    s.db.run("PRAGMA wal_checkpoint(PASSIVE)");
  });
}

bool MetricsWriter::failed() const { return impl_->store == nullptr; }

const std::string& MetricsWriter::failure() const { return impl_->failure; }

bool MetricsWriter::failed_for_space() const { return impl_->no_space; }

struct MetricsReader::Impl {
  Database db;

  // One T per row; columns are read by `row`.
  template <class T, class Row>
  std::vector<T> rows(const char* sql, std::string_view name, Row row) const {
    Statement s(db, sql);
    if (!name.empty()) s.bind(name);
    std::vector<T> out;
    while (s.step()) out.push_back(row(s));
    return out;
  }
};

MetricsReader::MetricsReader(const std::string& path) : impl_(new Impl{open_for_reading(path)}) {}

MetricsReader::~MetricsReader() = default;

std::vector<std::string> MetricsReader::metric_names() const {
  return impl_->rows<std::string>(
      "SELECT name FROM names WHERE id IN (SELECT name_id FROM points) ORDER BY name", {},
      [](Statement& s) { return s.text(0); });
}

std::vector<std::string> MetricsReader::eval_names() const {
  return impl_->rows<std::string>("SELECT DISTINCT name FROM eval ORDER BY name", {},
                                  [](Statement& s) { return s.text(0); });
}

std::vector<MetricPoint> MetricsReader::metric(std::string_view name) const {
  return impl_->rows<MetricPoint>(
      "SELECT step, value FROM points WHERE name_id = (SELECT id FROM names WHERE name = ?) "
      "ORDER BY step",
      name, [](Statement& s) {
        return MetricPoint{s.integer(0), s.number(1)};
      });
}

std::vector<MetricPoint> MetricsReader::eval(std::string_view name) const {
  return impl_->rows<MetricPoint>("SELECT step, value FROM eval WHERE name = ? ORDER BY step", name,
                                  [](Statement& s) {
                                    return MetricPoint{s.integer(0), s.number(1)};
                                  });
}

std::vector<SampleRow> MetricsReader::samples() const {
  return impl_->rows<SampleRow>("SELECT step, text FROM samples ORDER BY step, id", {},
                                [](Statement& s) {
                                  return SampleRow{s.integer(0), s.text(1)};
                                });
}

std::vector<EventRow> MetricsReader::events() const {
  return impl_->rows<EventRow>("SELECT step, time, kind, text FROM events ORDER BY id", {},
                               [](Statement& s) {
                                 return EventRow{s.integer(0), s.number(1), s.text(2), s.text(3)};
                               });
}

std::map<std::string, std::string> MetricsReader::meta() const {
  Statement s(impl_->db, "SELECT key, value FROM meta");
  std::map<std::string, std::string> out;
  while (s.step()) out[s.text(0)] = s.text(1);
  return out;
}

}  // namespace keel
