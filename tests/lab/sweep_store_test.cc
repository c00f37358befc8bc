// The store of trials: who has what, what survives, what is refused.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bit>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "io/database.h"
#include "io/error_text.h"
#include "io/temp_dir.h"
#include "lab/sweep/store.h"
#include "train/environment.h"

namespace keel {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

TrialPlan plan(const std::string& id) {
  return {id, "arm", {"optim.lr=0.1", "data.path=\"a b\""}, {{"optim.lr", "0.1"}}, 3};
}

// A process that has ended and is gone.
Owner gone_process() {
  const pid_t pid = ::fork();
  if (pid == 0) ::pause();
  const Owner owner = owner_of(pid).value();
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  return owner;
}

// One that lives as long as the object.
class OtherProcess {
 public:
  OtherProcess() : pid_(::fork()) {
    if (pid_ == 0) {
      ::pause();
      ::_exit(0);
    }
  }
  ~OtherProcess() {
    if (pid_ > 0) end();
  }
  Owner owner() const { return owner_of(pid_).value(); }
  // Leaves a zombie.
  void kill() const {
    ::kill(pid_, SIGKILL);
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT);
  }

 private:
  void end() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  pid_t pid_;
};

TrialResult result() {
  TrialResult r;
  r.losses = {5.5, kNan, -kInf, kInf, 0.1, std::bit_cast<double>(uint64_t{0x7ff8000000000123})};
  r.val_loss = kNan;
  r.steps = 20;
  r.ended = TrialEnd::kNotFinite;
  r.reason = "the loss is nan";
  r.tokens = 640;
  r.seconds = 1.25;
  r.step_seconds = 0.0625;
  r.peak_bytes = int64_t{1} << 33;
  r.numbers = {{"a", kInf}, {"b", kNan}};
  r.series = {{"out_norm/x", {{1, 5, 9}, {0.5, kNan, kInf}}}, {"none", {}}};
  return r;
}

std::vector<uint64_t> bits(const std::vector<double>& values) {
  std::vector<uint64_t> out;
  for (const double v : values) out.push_back(std::bit_cast<uint64_t>(v));
  return out;
}

TEST(TrialStore, KeepsPlansInTheirOrder) {
  const TempDir dir;
  TrialStore store(dir.path(), "sweep");
  store.add({plan("b"), plan("a")});
  store.add({plan("a"), plan("c")});
  const std::vector<TrialRow> rows = store.rows();
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].plan.id, "b");
  EXPECT_EQ(rows[1].plan.id, "a");
  EXPECT_EQ(rows[2].plan.id, "c");
  EXPECT_EQ(rows[0].plan.arm, "arm");
  EXPECT_EQ(rows[0].plan.sets, plan("b").sets);
  EXPECT_EQ(rows[0].plan.values, plan("b").values);
  EXPECT_EQ(rows[0].plan.seed, 3);
  EXPECT_EQ(rows[0].state, TrialState::kPending);
  EXPECT_FALSE(rows[0].result);
  EXPECT_FALSE(store.row("d"));
}

TEST(TrialStore, ResultsKeepTheirBits) {
  const TempDir dir;
  const Owner me = this_process();
  {
    TrialStore store(dir.path(), "sweep");
    store.add({plan("a")});
    ASSERT_EQ(store.take(me)->id, "a");
    ASSERT_TRUE(store.finish("a", me, result()));
  }
  TrialStore store(dir.path(), "sweep");
  const TrialRow row = store.row("a").value();
  EXPECT_EQ(row.state, TrialState::kDone);
  const TrialResult& r = row.result.value();
  EXPECT_EQ(bits(r.losses), bits(result().losses));
  EXPECT_TRUE(std::isnan(r.val_loss));
  EXPECT_EQ(r.steps, 20);
  EXPECT_EQ(r.ended, TrialEnd::kNotFinite);
  EXPECT_EQ(r.reason, "the loss is nan");
  EXPECT_EQ(r.tokens, 640);
  EXPECT_EQ(r.seconds, 1.25);
  EXPECT_EQ(r.step_seconds, 0.0625);
  EXPECT_EQ(r.peak_bytes, int64_t{1} << 33);
  EXPECT_EQ(r.numbers.at("a"), kInf);
  EXPECT_TRUE(std::isnan(r.numbers.at("b")));
  ASSERT_EQ(r.series.size(), 2u);
  EXPECT_EQ(r.series.at("out_norm/x").steps, (std::vector<int64_t>{1, 5, 9}));
  EXPECT_EQ(bits(r.series.at("out_norm/x").values), bits({0.5, kNan, kInf}));
  EXPECT_FALSE(store.rows(false)[0].result);
  EXPECT_EQ(store.mean_seconds(), 1.25);
}

TEST(TrialStore, NobodyTakesWhatAnotherLivingProcessHas) {
  const TempDir dir;
  TrialStore store(dir.path(), "sweep"), same(dir.path(), "sweep");
  store.add({plan("a"), plan("b")});
  const OtherProcess other;
  const Owner me = this_process();
  EXPECT_EQ(store.take(other.owner())->id, "a");
  EXPECT_EQ(same.take(me)->id, "b");
  EXPECT_FALSE(same.take(me));
  EXPECT_EQ(store.held_by(me), std::vector<std::string>{"b"});
  EXPECT_EQ(store.counts().running, 2);
  // It is another's to say what came of it.
  EXPECT_FALSE(store.finish("a", me, result()));
  EXPECT_FALSE(store.fail("a", me, "no"));
  EXPECT_FALSE(store.give_back("a", me));
  EXPECT_EQ(store.row("a")->state, TrialState::kRunning);
  EXPECT_TRUE(store.finish("a", other.owner(), result()));
  EXPECT_FALSE(store.finish("a", other.owner(), result()));
  const TrialCounts c = store.counts();
  EXPECT_EQ(c.trials, 2);
  EXPECT_EQ(c.done, 1);
  EXPECT_EQ(c.running, 1);
  EXPECT_EQ(c.duplicates, 0);
}

TEST(TrialStore, TakesOverAtOnceFromAProcessThatIsGone) {
  const TempDir dir;
  TrialStore store(dir.path(), "sweep");
  store.add({plan("a")});
  const Owner gone = gone_process(), me = this_process();
  for (int i = 0; i < 5; ++i) {  // has no limit, and costs no attempt
    ASSERT_EQ(store.take(gone)->id, "a");
    EXPECT_EQ(store.counts().pending, 1);
    EXPECT_EQ(store.row("a")->state, TrialState::kPending);
  }
  ASSERT_EQ(store.take(me)->id, "a");
  EXPECT_EQ(store.row("a")->attempts, 0);
  EXPECT_FALSE(store.finish("a", gone, result()));
  EXPECT_TRUE(store.finish("a", me, result()));
}

TEST(TrialStore, AZombieIsGone) {
  const TempDir dir;
  TrialStore store(dir.path(), "sweep");
  store.add({plan("a")});
  const OtherProcess other;
  const Owner owner = other.owner();
  ASSERT_TRUE(store.take(owner));
  EXPECT_FALSE(store.take(this_process()));
  other.kill();
  EXPECT_TRUE(store.take(this_process()));
}

TEST(TrialStore, AProcessIsKnownByWhenItBegan) {
  Owner me = this_process();
  EXPECT_EQ(me.pid, ::getpid());
  EXPECT_GT(me.start_time, 0u);
  EXPECT_TRUE(may_live(me));
  ++me.start_time;
  EXPECT_FALSE(may_live(me));  // its number is used again
  EXPECT_TRUE(may_live({"elsewhere", 1, 1}));
}

// Of another host nothing is known but when it was last heard of.
TEST(TrialStore, AnotherHostLosesItsTrialAfterALongSilence) {
  const TempDir dir;
  TrialStore store(dir.path(), "sweep");
  store.add({plan("a")});
  const Owner far{"elsewhere", 1, 1};
  ASSERT_TRUE(store.take(far));
  EXPECT_FALSE(store.take(this_process()));
  {
    Database db(dir / "sweep.db", "test", DatabaseUse::kWrite);
    Statement(db, "UPDATE trials SET heard = heard - ?").bind(TrialStore::kLeaseSeconds + 1).step();
  }
  EXPECT_EQ(store.counts().pending, 1);
  store.heartbeat("a", far);
  EXPECT_EQ(store.counts().running, 1);
  EXPECT_FALSE(store.take(this_process()));
}

TEST(TrialStore, WhatFailsTwiceHasFailed) {
  const TempDir dir;
  TrialStore store(dir.path(), "sweep");
  store.add({plan("a"), plan("b")});
  const Owner me = this_process();
  ASSERT_EQ(store.take(me)->id, "a");
  ASSERT_TRUE(store.give_back("a", me));
  EXPECT_EQ(store.row("a")->attempts, 0);
  ASSERT_EQ(store.take(me)->id, "a");
  ASSERT_TRUE(store.fail("a", me, "first"));
  EXPECT_EQ(store.row("a")->state, TrialState::kPending);
  EXPECT_EQ(store.row("a")->attempts, 1);
  ASSERT_EQ(store.take(me)->id, "a");
  ASSERT_TRUE(store.fail("a", me, "second"));
  EXPECT_EQ(store.row("a")->state, TrialState::kFailed);
  EXPECT_EQ(store.row("a")->error, "second");
  EXPECT_EQ(store.take(me)->id, "b");
  EXPECT_EQ(store.counts().failed, 1);
  EXPECT_EQ(store.retry_failed(), 1);
  EXPECT_EQ(store.row("a")->attempts, 0);
  EXPECT_EQ(store.take(me)->id, "a");
}

TEST(TrialStore, MetaIsKept) {
  const TempDir dir;
  TrialStore(dir.path(), "frontier").set_meta("x", "1");
  TrialStore store(dir.path(), "frontier");
  store.set_meta("x", "2");
  EXPECT_EQ(store.meta(), (std::map<std::string, std::string>{{"kind", "frontier"}, {"x", "2"}}));
  EXPECT_EQ(TrialStore(dir.path(), "").counts().trials, 0);
}

std::string refusal(const TempDir& dir, const std::string& kind = "sweep") {
  return error_text<DataError>([&] { TrialStore(dir.path(), kind); });
}

TEST(TrialStore, RefusesWhatIsNotItsOwn) {
  const TempDir none, other_kind, other_version, other_program, no_database, empty;
  EXPECT_EQ(refusal(none, ""), none.path() + ": no sweep, it has no sweep.db");
  TrialStore(other_kind.path(), "frontier");
  EXPECT_EQ(refusal(other_kind), (other_kind / "sweep.db") +
                                     ": store of trials: it is that of a frontier, not of a sweep; "
                                     "choose another folder");
  TrialStore(other_version.path(), "sweep");
  Database(other_version / "sweep.db", "test", DatabaseUse::kWrite).run("PRAGMA user_version = 7");
  EXPECT_EQ(refusal(other_version),
            (other_version / "sweep.db") +
                ": store of trials: version 7, this program reads version 1; go on with the "
                "program that made it, or choose another folder");
  Database(other_program / "sweep.db", "test", DatabaseUse::kWrite).run("CREATE TABLE t(a)");
  EXPECT_EQ(refusal(other_program), (other_program / "sweep.db") +
                                        ": store of trials: it is a database of another program");
  real_fs().write_file(no_database / "sweep.db", std::string(5000, 'x'));
  EXPECT_EQ(refusal(no_database),
            (no_database / "sweep.db") + ": store of trials: file is not a database");
  real_fs().write_file(empty / "sweep.db", "");
  EXPECT_EQ(refusal(empty, ""), (empty / "sweep.db") + ": store of trials: it holds nothing");
}

TEST(TrialStore, ADamagedResultIsNamed) {
  const TempDir dir;
  TrialStore store(dir.path(), "sweep");
  store.add({plan("a")});
  const Owner me = this_process();
  ASSERT_TRUE(store.take(me));
  ASSERT_TRUE(store.finish("a", me, result()));
  const auto after = [&](const char* damage) {
    Database(dir / "sweep.db", "test", DatabaseUse::kWrite).run(damage);
    return error_text<DataError>([&] { store.rows(); });
  };
  const std::string store_says = (dir / "sweep.db") + ": store of trials: ";
  EXPECT_EQ(after("UPDATE results SET series = substr(series, 1, 20)"),
            store_says + "trial a: its result is damaged");
  EXPECT_EQ(store.rows(false).size(), 1u);
  EXPECT_EQ(after("UPDATE results SET ended = 'well'"),
            store_says + "trial a: it ended as \"well\"");
  EXPECT_EQ(after("UPDATE trials SET state = 7"), store_says + "a trial has state 7");
  EXPECT_EQ(after("UPDATE trials SET plan = '{'").substr(0, store_says.size() + 18),
            store_says + "trial a: its plan:");
  EXPECT_EQ(
      after(R"(UPDATE trials SET plan = '{"arm": "", "sets": [], "values": [["x"]], "seed": 1}')"),
      store_says + "trial a: its plan is damaged");
}

}  // namespace
}  // namespace keel
