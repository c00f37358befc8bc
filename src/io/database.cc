#include "io/database.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <cmath>
#include <utility>

#include "core/error.h"

namespace keel {
namespace {

thread_local DatabaseFailure last_failure = DatabaseFailure::kOther;

DatabaseFailure kind_of(int code) {
  switch (code & 0xff) {
    case SQLITE_FULL:
    case SQLITE_IOERR:
      return DatabaseFailure::kNoSpace;
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
      return DatabaseFailure::kNoPlace;
    default:
      return DatabaseFailure::kOther;
  }
}

std::string immutable_uri(const std::string& path) {
  std::string uri = "file:";
  for (const char c : path) {
    uri += c == '?' || c == '#' || c == '%' ? fmt::format("%{:02x}", c) : std::string(1, c);
  }
  return uri + "?immutable=1";
}

int flags_of(DatabaseUse use) {
  switch (use) {
    case DatabaseUse::kRead:
      return SQLITE_OPEN_READONLY;
    case DatabaseUse::kReadAsItLies:
      return SQLITE_OPEN_READONLY | SQLITE_OPEN_URI;
    case DatabaseUse::kWrite:
      return SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  }
  return 0;
}

}  // namespace

DatabaseFailure last_database_failure() { return last_failure; }

Database::Database(const std::string& path, std::string what, DatabaseUse use, int busy_ms)
    : path_(path), what_(std::move(what)) {
  const std::string file = use == DatabaseUse::kReadAsItLies ? immutable_uri(path) : path;
  const int rc = sqlite3_open_v2(file.c_str(), &db_, flags_of(use), nullptr);
  if (rc != SQLITE_OK) {
    const std::string reason = sqlite3_errmsg(db_);
    sqlite3_close_v2(std::exchange(db_, nullptr));
    fail_as(kind_of(rc), reason);
  }
  sqlite3_busy_timeout(db_, busy_ms);
}

Database::~Database() { sqlite3_close_v2(db_); }

Database::Database(Database&& other) noexcept
    : path_(std::move(other.path_)),
      what_(std::move(other.what_)),
      db_(std::exchange(other.db_, nullptr)) {}

void Database::fail() const { fail_as(kind_of(sqlite3_errcode(db_)), sqlite3_errmsg(db_)); }

void Database::fail(const std::string& text) const { fail_as(DatabaseFailure::kOther, text); }

void Database::fail_as(DatabaseFailure kind, const std::string& text) const {
  last_failure = kind;
  throw DataError(fmt::format("{}: {}: {}", path_, what_, text));
}

void Database::run(const char* sql) {
  if (sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail();
}

int64_t Database::pragma(const char* name) const {
  Statement value(*this, fmt::format("PRAGMA {}", name).c_str());
  value.step();
  return value.integer(0);
}

int64_t Database::changes() const { return sqlite3_changes(db_); }

void Statement::Finalize::operator()(sqlite3_stmt* s) const { sqlite3_finalize(s); }

Statement::Statement(const Database& db, const char* sql) : db_(db) {
  sqlite3_stmt* s = nullptr;
  if (sqlite3_prepare_v3(db.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &s, nullptr) != SQLITE_OK) {
    db.fail();
  }
  statement_.reset(s);
}

Statement& Statement::check(int rc) {
  if (rc != SQLITE_OK) db_.fail();
  return *this;
}

Statement& Statement::bind(int64_t v) { return check(sqlite3_bind_int64(get(), ++bound_, v)); }

Statement& Statement::bind(std::string_view v) {
  return check(
      sqlite3_bind_text64(get(), ++bound_, v.data(), v.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
}

Statement& Statement::bind(double v) {
  if (std::isnan(v)) return bind(std::string_view("nan"));
  if (std::isinf(v)) return bind(std::string_view(v > 0 ? "inf" : "-inf"));
  return check(sqlite3_bind_double(get(), ++bound_, v));
}

Statement& Statement::bind_blob(std::string_view bytes) {
  return check(sqlite3_bind_blob64(get(), ++bound_, bytes.data(), bytes.size(), SQLITE_TRANSIENT));
}

bool Statement::step() {
  const int rc = sqlite3_step(get());
  if (rc != SQLITE_ROW && rc != SQLITE_DONE) db_.fail();
  return rc == SQLITE_ROW;
}

void Statement::run() {
  step();
  sqlite3_reset(get());
  bound_ = 0;
}

int64_t Statement::integer(int column) { return sqlite3_column_int64(get(), column); }

std::string Statement::text(int column) {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(get(), column));
  return {bytes, static_cast<size_t>(sqlite3_column_bytes(get(), column))};
}

std::string Statement::blob(int column) {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(get(), column));
  return {bytes, static_cast<size_t>(sqlite3_column_bytes(get(), column))};
}

double Statement::number(int column) {
  if (sqlite3_column_type(get(), column) != SQLITE_TEXT) {
    return sqlite3_column_double(get(), column);
  }
  const std::string word = text(column);
  return word == "nan" ? NAN : word == "inf" ? INFINITY : -INFINITY;
}

Transaction::Transaction(Database& db) : db_(db) { db_.run("BEGIN IMMEDIATE"); }

Transaction::~Transaction() {
  if (open_) sqlite3_exec(db_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
}

void Transaction::commit() {
  db_.run("COMMIT");
  open_ = false;
}

}  // namespace keel
