#include "lab/sweep/store.h"

#include <fmt/format.h>

#include "core/error.h"
#include "io/database.h"
#include "io/fs.h"
#include "io/json.h"
#include "lab/sweep/packed.h"
#include "train/environment.h"

namespace keel {
namespace {

constexpr int64_t kVersion = 1;
constexpr int64_t kApplication = 0x6b656c74;  // "kelt", what tells the file from other databases
constexpr int kBusyMs = 60'000;
constexpr const char* kWhat = "store of trials";
constexpr const char* kSchema = R"(
PRAGMA application_id = 1801809012;
PRAGMA user_version = 1;
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE trials(number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, plan TEXT NOT NULL,
                    state INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0,
                    error TEXT NOT NULL DEFAULT '', host TEXT NOT NULL DEFAULT '',
                    pid INTEGER NOT NULL DEFAULT 0, start INTEGER NOT NULL DEFAULT 0,
                    heard REAL NOT NULL DEFAULT 0);
CREATE TABLE results(trial TEXT PRIMARY KEY, ended TEXT NOT NULL, reason TEXT NOT NULL,
                     val_loss NOT NULL, steps INTEGER NOT NULL, tokens INTEGER NOT NULL,
                     seconds REAL NOT NULL, step_seconds REAL NOT NULL,
                     peak_bytes INTEGER NOT NULL, losses BLOB NOT NULL, numbers BLOB NOT NULL,
                     series BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE ends(number INTEGER PRIMARY KEY, trial TEXT NOT NULL, time REAL NOT NULL,
                  host TEXT NOT NULL, pid INTEGER NOT NULL);
)";
static_assert(kApplication == 1801809012 && kVersion == 1, "as the schema says");

std::string plan_text(const TrialPlan& plan) {
  Json values = Json::array();
  for (const auto& [key, value] : plan.values) {
    values.push(Json::array().push(key).push(value));
  }
  return Json::object()
      .set("arm", plan.arm)
      .set("sets", Json::array_of(plan.sets))
      .set("values", std::move(values))
      .set("seed", plan.seed)
      .dump();
}

TrialPlan parse_plan(const std::string& id, const std::string& text) {
  const Json j = parse_json(text, "its plan");
  TrialPlan plan;
  plan.id = id;
  plan.arm = j.at("arm").as_string();
  for (const Json& set : j.at("sets").as_array()) plan.sets.push_back(set.as_string());
  for (const Json& pair : j.at("values").as_array()) {
    const Json::Array& both = pair.as_array();
    if (both.size() != 2) throw DataError("its plan is damaged");
    plan.values.emplace_back(both[0].as_string(), both[1].as_string());
  }
  plan.seed = j.at("seed").as_int();
  return plan;
}

constexpr auto number_of(TrialState state) { return static_cast<int64_t>(state); }

constexpr const char* kRunningNow = "state = 1 AND id = ? AND host = ? AND pid = ? AND start = ?";

void bind_running(Statement& s, const std::string& id, const Owner& owner) {
  s.bind(id).bind(owner.host).bind(owner.pid).bind(static_cast<int64_t>(owner.start_time));
}

}  // namespace

struct TrialStore::Impl {
  Impl(const std::string& path, const std::string& kind)
      : db(path, kWhat, DatabaseUse::kWrite, kBusyMs) {
    if (!is_new()) check(kind);  // before it is changed in any way
    db.run("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;");
    Transaction t(db);
    if (is_new()) {
      if (kind.empty()) db.fail("it holds nothing");
      db.run(kSchema);
      Statement(db, "INSERT INTO meta VALUES ('kind', ?)").bind(kind).step();
    }
    check(kind);
    t.commit();
  }

  bool is_new() const {
    Statement tables(db, "SELECT count(*) FROM sqlite_schema");
    tables.step();
    return tables.integer(0) == 0;
  }

  void check(const std::string& kind) const {
    if (db.pragma("application_id") != kApplication) {
      db.fail("it is a database of another program");
    }
    if (const int64_t v = db.pragma("user_version"); v != kVersion) {
      db.fail(
          fmt::format("version {}, this program reads version {}; go on with the program that "
                      "made it, or choose another folder",
                      v, kVersion));
    }
    Statement found(db, "SELECT value FROM meta WHERE key = 'kind'");
    const std::string is = found.step() ? found.text(0) : "";
    if (!kind.empty() && is != kind) {
      db.fail(fmt::format("it is that of a {}, not of a {}; choose another folder", is, kind));
    }
  }

  // Whether the owner in columns `first` .. `first` + 3 is gone.
  static bool gone(Statement& row, int first, double now) {
    const Owner owner{row.text(first), row.integer(first + 1),
                      static_cast<uint64_t>(row.integer(first + 2))};
    if (!may_live(owner)) return true;
    return owner.host != host_name() && now - row.number(first + 3) > TrialStore::kLeaseSeconds;
  }

  // The trial `owner` is running gets another state. False when it has it no more.
  bool leave(const std::string& id, const Owner& owner, TrialState state) {
    Statement s(db, fmt::format("UPDATE trials SET state = ?, host = '', pid = 0, start = 0, "
                                "heard = 0 WHERE {}",
                                kRunningNow)
                        .c_str());
    s.bind(number_of(state));
    bind_running(s, id, owner);
    s.step();
    return db.changes() == 1;
  }

  void insert_result(const std::string& id, const TrialResult& r) {
    Statement s(db, "INSERT INTO results VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    s.bind(id).bind(name_of(r.ended)).bind(r.reason).bind(r.val_loss).bind(r.steps).bind(r.tokens);
    s.bind(r.seconds).bind(r.step_seconds).bind(r.peak_bytes);
    s.bind_blob(pack(r.losses)).bind_blob(pack(r.numbers)).bind_blob(pack(r.series)).step();
  }

  TrialPlan plan_of(const std::string& id, const std::string& text) const {
    try {
      return parse_plan(id, text);
    } catch (const DataError& e) {
      db.fail(fmt::format("trial {}: {}", id, e.what()));
    }
  }

  TrialState state_of(int64_t number) const {
    if (number < 0 || number > static_cast<int64_t>(TrialState::kFailed)) {
      db.fail(fmt::format("a trial has state {}", number));
    }
    return static_cast<TrialState>(number);
  }

  // From the columns that rows() selects.
  TrialResult read_result(Statement& s, const std::string& id) const {
    TrialResult r;
    r.reason = s.text(10);
    r.val_loss = s.number(11);
    r.steps = s.integer(12);
    r.tokens = s.integer(13);
    r.seconds = s.number(14);
    r.step_seconds = s.number(15);
    r.peak_bytes = s.integer(16);
    try {
      r.ended = trial_end(s.text(9));
      r.losses = unpack_doubles(s.blob(17));
      r.numbers = unpack_numbers(s.blob(18));
      r.series = unpack_series(s.blob(19));
    } catch (const DataError& e) {
      db.fail(fmt::format("trial {}: {}", id, e.what()));
    }
    return r;
  }

  std::vector<TrialRow> rows(const std::string& where, const std::string& id, bool results) {
    const char* of_result =
        ", r.ended, r.reason, r.val_loss, r.steps, r.tokens, r.seconds, r.step_seconds, "
        "r.peak_bytes, r.losses, r.numbers, r.series";
    Statement s(db, fmt::format("SELECT t.id, t.plan, t.state, t.attempts, t.error, t.host, t.pid, "
                                "t.start, t.heard{} FROM trials t {} {} ORDER BY t.number",
                                results ? of_result : "",
                                results ? "LEFT JOIN results r ON r.trial = t.id" : "", where)
                        .c_str());
    if (!id.empty()) s.bind(id);
    std::vector<TrialRow> out;
    const double now = unix_time();
    while (s.step()) {
      TrialRow& row = out.emplace_back();
      row.plan = plan_of(s.text(0), s.text(1));
      row.state = state_of(s.integer(2));
      if (row.state == TrialState::kRunning && gone(s, 5, now)) row.state = TrialState::kPending;
      row.attempts = s.integer(3);
      row.error = s.text(4);
      if (results && row.state == TrialState::kDone) row.result = read_result(s, row.plan.id);
    }
    return out;
  }

  Database db;
};

TrialStore::TrialStore(const std::string& out, const std::string& kind) {
  const std::string path = join_path(out, "sweep.db");
  if (kind.empty() && !real_fs().exists(path)) {
    throw DataError(fmt::format("{}: no sweep, it has no sweep.db", out));
  }
  impl_ = std::make_unique<Impl>(path, kind);
}

TrialStore::~TrialStore() = default;

void TrialStore::add(const std::vector<TrialPlan>& trials) {
  Transaction t(impl_->db);
  Statement s(impl_->db, "INSERT OR IGNORE INTO trials(id, plan) VALUES (?, ?)");
  for (const TrialPlan& p : trials) s.bind(p.id).bind(plan_text(p)).run();
  t.commit();
}

std::optional<TrialPlan> TrialStore::take(const Owner& owner) {
  Transaction t(impl_->db);
  std::optional<TrialPlan> taken;
  {
    Statement s(impl_->db,
                "SELECT id, plan, state, host, pid, start, heard FROM trials WHERE state IN (0, 1) "
                "ORDER BY number");
    const double now = unix_time();
    while (!taken && s.step()) {
      const bool running = impl_->state_of(s.integer(2)) == TrialState::kRunning;
      if (running && !Impl::gone(s, 3, now)) continue;
      taken = impl_->plan_of(s.text(0), s.text(1));
    }
  }
  if (taken) {
    Statement s(
        impl_->db,
        "UPDATE trials SET state = 1, host = ?, pid = ?, start = ?, heard = ? WHERE id = ?");
    s.bind(owner.host).bind(owner.pid).bind(static_cast<int64_t>(owner.start_time));
    s.bind(unix_time()).bind(taken->id).step();
  }
  t.commit();
  return taken;
}

bool TrialStore::finish(const std::string& id, const Owner& owner, const TrialResult& result) {
  Transaction t(impl_->db);
  if (!impl_->leave(id, owner, TrialState::kDone)) return false;
  impl_->insert_result(id, result);
  Statement(impl_->db, "INSERT INTO ends(trial, time, host, pid) VALUES (?, ?, ?, ?)")
      .bind(id)
      .bind(unix_time())
      .bind(owner.host)
      .bind(owner.pid)
      .step();
  t.commit();
  return true;
}

bool TrialStore::fail(const std::string& id, const Owner& owner, const std::string& error) {
  Transaction t(impl_->db);
  if (!impl_->leave(id, owner, TrialState::kPending)) return false;
  Statement(impl_->db,
            "UPDATE trials SET attempts = attempts + 1, error = ?, "
            "state = CASE WHEN attempts + 1 >= ? THEN 3 ELSE 0 END WHERE id = ?")
      .bind(error)
      .bind(kMostAttempts)
      .bind(id)
      .step();
  t.commit();
  return true;
}

bool TrialStore::give_back(const std::string& id, const Owner& owner) {
  Transaction t(impl_->db);
  const bool was_its_own = impl_->leave(id, owner, TrialState::kPending);
  t.commit();
  return was_its_own;
}

void TrialStore::heartbeat(const std::string& id, const Owner& owner) {
  Transaction t(impl_->db);
  Statement s(impl_->db, fmt::format("UPDATE trials SET heard = ? WHERE {}", kRunningNow).c_str());
  s.bind(unix_time());
  bind_running(s, id, owner);
  s.step();
  t.commit();
}

std::vector<std::string> TrialStore::held_by(const Owner& owner) {
  Statement s(impl_->db,
              "SELECT id FROM trials WHERE state = 1 AND host = ? AND pid = ? AND start = ? "
              "ORDER BY number");
  s.bind(owner.host).bind(owner.pid).bind(static_cast<int64_t>(owner.start_time));
  std::vector<std::string> ids;
  while (s.step()) ids.push_back(s.text(0));
  return ids;
}

int64_t TrialStore::retry_failed() {
  Transaction t(impl_->db);
  Statement(impl_->db, "UPDATE trials SET state = 0, attempts = 0, error = '' WHERE state = 3")
      .step();
  const int64_t n = impl_->db.changes();
  t.commit();
  return n;
}

TrialCounts TrialStore::counts() {
  TrialCounts c;
  Transaction t(impl_->db);  // one moment for all of them
  Statement s(impl_->db, "SELECT state, host, pid, start, heard FROM trials");
  const double now = unix_time();
  while (s.step()) {
    ++c.trials;
    TrialState state = impl_->state_of(s.integer(0));
    if (state == TrialState::kRunning && Impl::gone(s, 1, now)) state = TrialState::kPending;
    if (state == TrialState::kPending) ++c.pending;
    if (state == TrialState::kRunning) ++c.running;
    if (state == TrialState::kDone) ++c.done;
    if (state == TrialState::kFailed) ++c.failed;
  }
  Statement ends(impl_->db, "SELECT count(*) FROM ends");
  ends.step();
  c.duplicates = ends.integer(0) - c.done;
  return c;
}

std::optional<double> TrialStore::mean_seconds() {
  Statement s(impl_->db, "SELECT count(*), coalesce(avg(seconds), 0) FROM results");
  s.step();
  return s.integer(0) > 0 ? std::optional(s.number(1)) : std::nullopt;
}

std::vector<TrialRow> TrialStore::rows(bool results) { return impl_->rows("", "", results); }

std::optional<TrialRow> TrialStore::row(const std::string& id) {
  std::vector<TrialRow> found = impl_->rows("WHERE t.id = ?", id, true);
  return found.empty() ? std::nullopt : std::optional(std::move(found.front()));
}

void TrialStore::set_meta(const std::string& key, const std::string& value) {
  Transaction t(impl_->db);
  Statement(impl_->db, "INSERT OR REPLACE INTO meta VALUES (?, ?)").bind(key).bind(value).step();
  t.commit();
}

void TrialStore::refuse(const std::string& text) const { impl_->db.fail(text); }

std::map<std::string, std::string> TrialStore::meta() {
  Statement s(impl_->db, "SELECT key, value FROM meta");
  std::map<std::string, std::string> out;
  while (s.step()) out[s.text(0)] = s.text(1);
  return out;
}

}  // namespace keel
