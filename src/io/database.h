// SQLite, as far as this program uses it. Every call throws DataError with the path, what the file
// is to be ("metrics store") and SQLite's reason.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace keel {

// What a failure can be told by beside its text.
enum class DatabaseFailure : uint8_t {
  kOther,
  kNoSpace,  // a full disk or an I/O error: the file is sound and may be written again later
  kNoPlace,  // the folder cannot be written, so that readers have no place for shared memory
};
// Of the last call that threw in this thread, also one that opened a database.
DatabaseFailure last_database_failure();

enum class DatabaseUse : uint8_t {
  kRead,
  kReadAsItLies,  // of a file that nobody has open, in a folder that cannot be written
  kWrite,         // made where it does not exist
};

class Database {
 public:
  // Waits up to `busy_ms` for another process that is writing.
  Database(const std::string& path, std::string what, DatabaseUse use, int busy_ms = 1000);
  ~Database();
  Database(Database&& other) noexcept;

  void run(const char* sql);
  // The integers that SQLite keeps in the file for its user, as "user_version".
  int64_t pragma(const char* name) const;
  // Rows that the last statement changed.
  int64_t changes() const;
  [[noreturn]] void fail() const;
  // DataError "PATH: WHAT: TEXT".
  [[noreturn]] void fail(const std::string& text) const;
  sqlite3* get() const { return db_; }

 private:
  [[noreturn]] void fail_as(DatabaseFailure kind, const std::string& text) const;
  std::string path_, what_;
  sqlite3* db_ = nullptr;
};

// A prepared statement that can be used many times: bind in order, then step. The database must
// outlive it.
class Statement {
 public:
  Statement(const Database& db, const char* sql);

  Statement& bind(int64_t v);
  Statement& bind(std::string_view v);
  // SQLite has no NaN; what is not finite is stored as text.
  Statement& bind(double v);
  Statement& bind_blob(std::string_view bytes);
  // False after the last row.
  bool step();
  // Steps, and makes ready for the next use.
  void run();

  int64_t integer(int column);
  double number(int column);
  std::string text(int column);
  std::string blob(int column);

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* s) const;
  };
  sqlite3_stmt* get() const { return statement_.get(); }
  Statement& check(int rc);

  const Database& db_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int bound_ = 0;
};

// One change, whole or not at all: begun at once, rolled back at the end of a scope that did not
// commit.
class Transaction {
 public:
  explicit Transaction(Database& db);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  Database& db_;
  bool open_ = true;
};

}  // namespace keel
