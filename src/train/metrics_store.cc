#include "train/metrics_store.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <cmath>
#include <utility>

#include "core/error.h"

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

// Of the last failure, for what can be told by it alone.
thread_local int last_code = SQLITE_OK;

struct CloseDb {
  void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
};
struct Finalize {
  void operator()(sqlite3_stmt* s) const { sqlite3_finalize(s); }
};

// One database; every call throws DataError with the path and SQLite's reason.
class Database {
 public:
  Database(const std::string& file, int flags, std::string path) : path_(std::move(path)) {
    sqlite3* db = nullptr;
    const int rc = sqlite3_open_v2(file.c_str(), &db, flags, nullptr);
    db_.reset(db);
    if (rc != SQLITE_OK) fail();
    sqlite3_busy_timeout(db, 1000);
  }
  [[noreturn]] void fail() const {
    last_code = sqlite3_errcode(db_.get()) & 0xff;
    throw DataError(fmt::format("{}: metrics store: {}", path_, sqlite3_errmsg(db_.get())));
  }
  void run(const char* sql) {
    if (sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail();
  }
  sqlite3* get() const { return db_.get(); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  std::unique_ptr<sqlite3, CloseDb> db_;
};

// A prepared statement that is used many times: bind in order, then step.
class Statement {
 public:
  Statement(const Database& db, const char* sql) : db_(db) {
    sqlite3_stmt* s = nullptr;
    if (sqlite3_prepare_v3(db.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &s, nullptr) !=
        SQLITE_OK) {
      db.fail();
    }
    statement_.reset(s);
  }
  Statement& bind(int64_t v) { return check(sqlite3_bind_int64(get(), ++bound_, v)); }
  Statement& bind(std::string_view v) {
    return check(
        sqlite3_bind_text64(get(), ++bound_, v.data(), v.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
  }
  // SQLite has no NaN; what is not finite is stored as text.
  Statement& bind(double v) {
    if (std::isnan(v)) return bind(std::string_view("nan"));
    if (std::isinf(v)) return bind(std::string_view(v > 0 ? "inf" : "-inf"));
    return check(sqlite3_bind_double(get(), ++bound_, v));
  }
  bool step() {
    const int rc = sqlite3_step(get());
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) db_.fail();
    return rc == SQLITE_ROW;
  }
  void run() {
    step();
    sqlite3_reset(get());
    bound_ = 0;
  }
  int64_t integer(int column) { return sqlite3_column_int64(get(), column); }
  std::string text(int column) {
    const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(get(), column));
    return {bytes, static_cast<size_t>(sqlite3_column_bytes(get(), column))};
  }
  double number(int column) {
    if (sqlite3_column_type(get(), column) != SQLITE_TEXT) {
      return sqlite3_column_double(get(), column);
    }
    const std::string word = text(column);
    return word == "nan" ? NAN : word == "inf" ? INFINITY : -INFINITY;
  }

 private:
  sqlite3_stmt* get() const { return statement_.get(); }
  Statement& check(int rc) {
    if (rc != SQLITE_OK) db_.fail();
    return *this;
  }
  const Database& db_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int bound_ = 0;
};

int64_t read_version(const Database& db) {
  Statement version(db, "PRAGMA user_version");
  version.step();
  return version.integer(0);
}

void check_version(const Database& db) {
  if (const int64_t v = read_version(db); v != kSchemaVersion) {
    throw DataError(fmt::format("{}: metrics store: schema {}, this program reads {}", db.path(), v,
                                kSchemaVersion));
  }
}

Database open_for_writing(const std::string& path) {
  Database db(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, path);
  db.run("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;");
  if (read_version(db) == 0) db.run(fmt::format("BEGIN;{}COMMIT;", kSchema).c_str());
  check_version(db);
  return db;
}

// A WAL store in a folder that cannot be written has no place for its shared memory; when nobody
// has it open it can be read as it lies.
Database open_for_reading(const std::string& path) {
  Database db(path, SQLITE_OPEN_READONLY, path);
  try {
    check_version(db);
    return db;
  } catch (const DataError&) {
    const int primary = sqlite3_errcode(db.get()) & 0xff;
    if (primary != SQLITE_CANTOPEN && primary != SQLITE_READONLY) throw;
  }
  std::string uri = "file:";
  for (const char c : path) {
    uri += c == '?' || c == '#' || c == '%' ? fmt::format("%{:02x}", c) : std::string(1, c);
  }
  Database still(uri + "?immutable=1", SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, path);
  check_version(still);
  return still;
}

}  // namespace

// The open store; gone after the first failure.
struct MetricsWriter::Impl {
  struct Store {
    explicit Store(const std::string& path) : db(open_for_writing(path)) {}
    ~Store() {
      if (in_transaction) sqlite3_exec(db.get(), "COMMIT", nullptr, nullptr, nullptr);
    }

    void begin() {
      if (!in_transaction) db.run("BEGIN IMMEDIATE");
      in_transaction = true;
    }
    void roll_back() {
      sqlite3_exec(db.get(), "ROLLBACK", nullptr, nullptr, nullptr);
      in_transaction = false;
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
      store->roll_back();
      store.reset();
    }
  }
  void failed(const DataError& e) {
    failure = e.what();
    no_space = last_code == SQLITE_FULL || last_code == SQLITE_IOERR;
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

std::string sqlite_version() { return sqlite3_libversion(); }

}  // namespace keel
