// keel sweep and its workers. Kills at random instants: tools/sweep_kill_loop.py.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "core/error.h"
#include "documented_json.h"
#include "io/database.h"
#include "io/json.h"
#include "lab/sweep/store.h"
#include "run_keel.h"
#include "train/metric_names.h"
#include "train/metrics_log.h"

namespace keel {
namespace {

// Within a minute.
bool holds_soon(const std::function<bool()>& what) {
  for (int i = 0; i < 6000; ++i) {
    if (what()) return true;
    ::usleep(10'000);
  }
  return false;
}

// A sweep of SmallRun's config, or of a command.
class SmallSweep {
 public:
  void write(const std::string& text) const {
    real_fs().remove_quietly(file("sweep.toml"));
    real_fs().write_file(file("sweep.toml"), text);
  }
  void write_script(const std::string& text) const {
    real_fs().remove_quietly(file("train.sh"));
    real_fs().write_file(file("train.sh"), text);
  }
  std::string file(const std::string& name) const { return small_.file(name); }
  std::string out() const { return file("out"); }
  std::vector<std::string> line(std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"sweep", file("sweep.toml"), "--out", out()});
    return more;
  }
  ProgramEnd sweep(std::vector<std::string> more = {}) const { return keel(line(std::move(more))); }
  Json status() const {
    const ProgramEnd o = keel({"sweep", "status", out(), "--json"});
    EXPECT_EQ(o.code, 0) << o.err;
    return parse_json(o.last_line(), "status");
  }
  int64_t count(const char* key) const { return status().at(key).as_int(); }
  std::vector<TrialRow> rows() const { return TrialStore(out(), "").rows(); }

 private:
  SmallRun small_;
};

const std::string kBase = "base = \"run.toml\"\nseeds = 2\n";
const std::string kRates = "[grid]\noptim.lr = [0.01, 0.02]\n";

TEST(Sweep, RunsEveryTrialOnceAndThenNothingMore) {
  const SmallSweep s;
  s.write(kBase + kRates);
  const ProgramEnd o = s.sweep({"--jobs", "2", "--json"});
  ASSERT_EQ(o.code, 0) << o.err;
  const Json status = s.status();
  expect_documented(status, "sweep status");
  EXPECT_EQ(status.at("trials").as_int(), 4);
  EXPECT_EQ(status.at("done").as_int(), 4);
  EXPECT_EQ(status.at("duplicates").as_int(), 0);
  const Json j = last_json(o);
  ASSERT_EQ(j.at("results").as_array().size(), 4u);
  const Json& first = j.at("results").as_array()[0];
  expect_documented(j, "sweep");
  expect_documented(first, "sweep", "results[]");
  EXPECT_EQ(first.at("values").at("optim.lr").as_string(), "0.01");
  EXPECT_EQ(first.at("seed").as_int(), 1);
  EXPECT_NE(first.at("verdict").as_string(), "diverged");
  EXPECT_GT(first.at("val_loss").as_double(), 1);
  EXPECT_NE(o.err.find("optim.lr=0.01 seed 1: finished, val loss "), std::string::npos) << o.err;
  EXPECT_NE(o.err.find("[4/4, left 00:00:00]"), std::string::npos) << o.err;
  EXPECT_TRUE(real_fs().list(s.out() + "/trials").empty());

  const ProgramEnd again = s.sweep({"--json"});
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(again.out, o.out);
  EXPECT_EQ(again.err, "");
  Database db(s.out() + "/sweep.db", "test", DatabaseUse::kRead);
  Statement ends(db, "SELECT count(*) FROM ends");
  ends.step();
  EXPECT_EQ(ends.integer(0), 4);
}

TEST(Sweep, ItsTrialsAreWhatTrainDoes) {
  const SmallSweep s;
  s.write(kBase + kRates + "[set]\ntrain.steps = 6\n");
  ASSERT_EQ(s.sweep().code, 0);
  const ProgramEnd o = keel({"train", s.file("run.toml"), "--out", s.file("run"), "--json", "--set",
                             "train.steps=6", "--set", "train.seed=2", "--set", "optim.lr=0.02"});
  ASSERT_EQ(o.code, 0) << o.err;
  const TrialRow row = s.rows()[3];
  EXPECT_EQ(row.result->val_loss, parse_json(o.last_line(), "out").at("val_loss").as_double());
}

TEST(Sweep, TheTableAndAFewOtherWords) {
  const SmallSweep s;
  s.write("base = \"run.toml\"\nseeds = 1\nkeep_runs = true\n" + kRates);
  const ProgramEnd o = s.sweep();
  ASSERT_EQ(o.code, 0) << o.err;
  EXPECT_TRUE(o.out.starts_with("optim.lr  seed  val loss  verdict\n0.01         1    ")) << o.out;
  EXPECT_TRUE(o.err.starts_with(
      "note: one seed: there are no intervals, and no way to tell a difference from chance\n"))
      << o.err;
  EXPECT_EQ(real_fs().list(s.out() + "/trials").size(), 2u);
  const ProgramEnd status = keel({"sweep", "status", s.out()});
  EXPECT_EQ(status.out, o.out + "2 of 2 trials done, 0 running\n");
}

TEST(Sweep, TrialsMayBeAddedAndTheFileMayNotChange) {
  const SmallSweep s;
  s.write(kBase + "[grid]\noptim.lr = [0.01]\n");
  ASSERT_EQ(s.sweep().code, 0);
  s.write("base = \"run.toml\"\nseeds = 3\n" + kRates);
  ASSERT_EQ(s.sweep().code, 0);
  EXPECT_EQ(s.count("done"), 6);
  s.write(kBase + "[grid]\noptim.lr = [0.3]\n");
  const ProgramEnd o = s.sweep();
  EXPECT_EQ(o.code, 2);
  EXPECT_NE(o.err.find("6 trials of the sweep that was begun here with "), std::string::npos)
      << o.err;
  EXPECT_EQ(s.count("done"), 6);
}

TEST(Sweep, DataThatIsNotThereFailsNoTrial) {
  const SmallSweep s;
  s.write(kBase +
          "[grid]\noptim.lr = [0.01, 0.02]\n[set]\ndata = {kind = \"text\", path = "
          "\"none.txt\"}\n");
  const ProgramEnd o = s.sweep();
  EXPECT_EQ(o.code, 3) << o.err;
  EXPECT_NE(o.err.find("none.txt: no such file or folder"), std::string::npos) << o.err;
  EXPECT_EQ(s.count("failed"), 0);
  EXPECT_EQ(s.count("pending"), 4);
}

TEST(Sweep, ADivergedTrialIsAResult) {
  const SmallSweep s;
  s.write(kBase + "[grid]\noptim.lr = [0.01, 1e30]\n[set]\ntrain.steps = 15\n");
  const ProgramEnd o = s.sweep();
  ASSERT_EQ(o.code, 0) << o.err;
  EXPECT_EQ(s.count("diverged"), 2);
  EXPECT_EQ(s.count("done"), 4);
  EXPECT_NE(o.out.find("diverged at step "), std::string::npos) << o.out;
}

TEST(Sweep, ATrialThatFailsIsTriedTwice) {
  const SmallSweep s;
  s.write(kBase + "[grid]\ndata.path = [\"text.txt\", \"gone.txt\"]\n");
  const ProgramEnd o = s.sweep({"--jobs", "2"});
  EXPECT_EQ(o.code, 1);
  EXPECT_NE(o.err.find("keel: 2 trials failed; to try them again: keel sweep retry "),
            std::string::npos)
      << o.err;
  EXPECT_NE(o.out.find("failed: "), std::string::npos) << o.out;
  EXPECT_EQ(s.count("failed"), 2);
  EXPECT_EQ(s.rows()[1].attempts, 2);
  EXPECT_EQ(s.sweep().code, 1);
  real_fs().write_file(s.file("gone.txt"),
                       real_fs().read_file(s.file("text.txt"), kMaxTextBytes) + "more\n");
  const ProgramEnd retry = keel({"sweep", "retry", s.out()});
  EXPECT_EQ(retry.out, "2 trials that failed are pending again\n");
  EXPECT_EQ(s.count("pending"), 2);
  EXPECT_EQ(s.sweep().code, 0);
  EXPECT_EQ(s.count("done"), 4);
}

TEST(Sweep, DryRunNamesTrialsAndTheWorstCase) {
  const SmallSweep s;
  s.write(kBase + "max_trials = 1\n" + kRates);
  const ProgramEnd o = s.sweep({"--dry-run", "--jobs", "3"});
  ASSERT_EQ(o.code, 0) << o.err;
  EXPECT_NE(o.out.find("  optim.lr=0.02 seed 2\n4 trials; worst case: "), std::string::npos)
      << o.out;
  EXPECT_NE(o.out.find(" with 3 at a time, no trial stopped early (steps of the first trial "
                       "measured, those of others in proportion to their work; evaluations are not "
                       "counted)\n"),
            std::string::npos)
      << o.out;
  EXPECT_FALSE(real_fs().exists(s.out()));
  const ProgramEnd json = s.sweep({"--dry-run", "--json", "--jobs", "3"});
  EXPECT_EQ(parse_json(json.last_line(), "out").at("trials").as_array().size(), 4u);
  EXPECT_EQ(parse_json(json.last_line(), "out").at("jobs").as_int(), 3);
}

TEST(Sweep, RefusesWhatItCannotDo) {
  const SmallSweep s;
  s.write(kBase + "max_trials = 1\n" + kRates);
  EXPECT_EQ(s.sweep().err,
            "keel: 4 trials are more than max_trials = 1; with --yes they are run\n");
  EXPECT_EQ(s.sweep().code, 2);
  EXPECT_EQ(s.sweep({"--yes"}).code, 0);
  s.write(kBase + kRates);
  EXPECT_EQ(s.sweep({"--jobs", "-1"}).err, "keel: --jobs: must be at least 0, is -1\n");
  EXPECT_EQ(keel({"sweep"}).err, "keel: SWEEP is required; see keel sweep --help\n");
  EXPECT_EQ(keel({"sweep", "status", s.file("nowhere")}).err,
            "keel: " + s.file("nowhere") + ": no sweep, it has no sweep.db\n");
  EXPECT_EQ(keel({"sweep", s.file("sweep.toml"), "--out", s.file("run.toml")}).err,
            "keel: --out: " + s.file("run.toml") + " is no folder\n");
  real_fs().make_dir(s.file("other"));
  real_fs().write_file(s.file("other/x"), "");
  EXPECT_EQ(keel({"sweep", s.file("sweep.toml"), "--out", s.file("other")}).err,
            "keel: --out: " + s.file("other") +
                " holds something that is no sweep; name a folder that is empty or new\n");
  const ProgramEnd rm = keel({"sweep", "rm", s.file("other")});
  EXPECT_EQ(rm.code, 3);
  EXPECT_EQ(rm.err, "keel: " + s.file("other") + ": no sweep, it has no sweep.db\n");
  EXPECT_TRUE(real_fs().exists(s.file("other/x")));
}

TEST(Sweep, RmRemovesIt) {
  const SmallSweep s;
  s.write(kBase + kRates);
  ASSERT_EQ(s.sweep().code, 0);
  const ProgramEnd o = keel({"sweep", "rm", s.out()});
  EXPECT_EQ(o.code, 0) << o.err;
  EXPECT_FALSE(real_fs().exists(s.out()));
}

TEST(Sweep, HelpHidesItsWorkers) {
  EXPECT_EQ(keel({"--help"}).out.find("sweep-worker"), std::string::npos);
  EXPECT_NE(keel({"--help"}).out.find("sweep "), std::string::npos);
  EXPECT_EQ(keel({"sweeep"}).err.find("sweep-worker"), std::string::npos);
  EXPECT_NE(keel({"sweep", "--help"}).out.find("retry"), std::string::npos);
}

// Nobody starts a worker but a sweep: it is not to outlive it.
TEST(Sweep, AWorkerWithoutItsParentDoesNothing) {
  const SmallSweep s;
  s.write(kBase + kRates);
  ASSERT_EQ(s.sweep().code, 0);
  TrialStore store(s.out(), "");
  store.add({{"id", "", {}, {}, 1}});
  EXPECT_EQ(keel({"sweep-worker", s.out(), "--core", "0", "--parent", "1"}).code, 75);
  EXPECT_EQ(store.row("id")->attempts, 0);
}

const std::string kEndless = "[set]\ntrain.steps = 100000000\n";

// Of each trial that has begun; 0 before its first steps are recorded.
std::vector<int64_t> steps_of_trials(const std::string& folder) {
  std::vector<int64_t> steps;
  if (!real_fs().exists(folder)) return steps;
  for (const std::string& trial : real_fs().list(folder)) {
    steps.push_back(0);
    try {
      const auto losses = RunMetrics(join_path(folder, trial)).metric(metric_name::kLoss);
      if (!losses.empty()) steps.back() = losses.back().step;
    } catch (const DataError&) {  // its store is not there yet
    }
  }
  return steps;
}

TEST(Sweep, StopsOnSignalsAndGoesOn) {
  const SmallSweep s;
  s.write(kBase + kRates + kEndless + "eval.every = 0\n");
  const std::string trials = s.out() + "/trials";
  int64_t stopped_at = 0;
  const auto both_went_on = [&] {
    const std::vector<int64_t> steps = steps_of_trials(trials);
    return steps.size() == 2 && std::ranges::min(steps) > stopped_at;
  };
  for (const int number : {SIGINT, SIGTERM}) {
    Running run(s.line({"--jobs", "2"}));
    ASSERT_TRUE(holds_soon(both_went_on));
    run.send(number);
    const ProgramEnd o = run.wait();
    EXPECT_EQ(o.code, 75) << o.err;
    EXPECT_NE(o.err.find("keel: stopped, 0 of 4 trials done, 0 running; go on with: keel sweep "),
              std::string::npos)
        << o.err;
    EXPECT_EQ(s.count("pending"), 4);
    stopped_at = std::ranges::max(steps_of_trials(trials));
  }
  // What was done is saved, each time at another step.
  const std::vector<TrialRow> rows = s.rows();
  EXPECT_EQ(rows[0].attempts, 0);
  EXPECT_EQ(real_fs().list(join_path(trials, rows[0].plan.id + "/ckpt")).size(), 2u);
}

TEST(Sweep, EndsWhenItsTimeIsUp) {
  const SmallSweep s;
  s.write(kBase + kRates + kEndless);
  const ProgramEnd o = s.sweep({"--max-time", "5s"});
  EXPECT_EQ(o.code, 75) << o.err;
  EXPECT_EQ(s.count("pending"), 4);
  EXPECT_EQ(s.sweep({"--max-time", "x"}).code, 2);
}

TEST(Sweep, OneAtATimeInAFolder) {
  const SmallSweep s;
  s.write(kBase + kRates + kEndless);
  Running run(s.line({"--jobs", "1"}));
  ASSERT_TRUE(holds_soon([&] { return real_fs().exists(s.out() + "/workers.json"); }));
  const std::string in_use = "keel: sweep " + s.out() + " is in use by process ";
  const ProgramEnd second = s.sweep(), rm = keel({"sweep", "rm", s.out()});
  EXPECT_EQ(second.code, 2);
  EXPECT_TRUE(second.err.starts_with(in_use)) << second.err;
  EXPECT_EQ(rm.code, 2);
  EXPECT_TRUE(rm.err.starts_with(in_use)) << rm.err;
  EXPECT_EQ(s.count("trials"), 4);
  run.send(SIGTERM);
  EXPECT_EQ(run.wait().code, 75);
}

// A trainer that is not ours: a shell script.

const std::string kCommand =
    "seeds = 2\n[grid]\nlr = [0.1, 0.2]\n[trial]\ncommand = \"sh train.sh {lr} {seed} {out}\"\n";
const std::string kScript =
    "echo words of $1\necho step,loss,val_loss >\"$3/log.csv\"\n"
    "for i in 1 2 3; do echo $i,$1$2$i, ; done >>\"$3/log.csv\"\n"
    "echo 4,1,$1$2 >>\"$3/log.csv\"\n";

TEST(ExternalSweep, ReadsTheLogOfACommand) {
  const SmallSweep s;
  s.write(kCommand);
  s.write_script(kScript);
  const ProgramEnd o = s.sweep({"--jobs", "2"});
  ASSERT_EQ(o.code, 0) << o.err;
  const std::vector<TrialRow> rows = s.rows();
  ASSERT_EQ(rows.size(), 4u);
  const TrialResult& r = rows[1].result.value();
  EXPECT_EQ(r.losses, (std::vector<double>{0.211, 0.212, 0.213, 1}));
  EXPECT_EQ(r.val_loss, 0.21);
  EXPECT_EQ(r.steps, 4);
  EXPECT_EQ(r.ended, TrialEnd::kFinished);
  EXPECT_GT(r.peak_bytes, 0);
  EXPECT_EQ(real_fs().read_file(s.out() + "/trials/" + rows[1].plan.id + "/stdout", 100),
            "words of 0.2\n");
  EXPECT_EQ(s.sweep().code, 0);
  EXPECT_EQ(s.count("duplicates"), 0);
}

// What is said of a command that does the script.
std::string failure(const std::string& script, const std::string& more = "") {
  const SmallSweep s;
  s.write("seeds = [1]\n[grid]\n[trial]\ncommand = \"exec sh train.sh {out}\"\n" + more);
  s.write_script(script);
  const ProgramEnd o = s.sweep();
  EXPECT_EQ(o.code, 1) << o.err;
  const TrialRow row = s.rows()[0];
  EXPECT_EQ(row.attempts, 2);
  std::string text = row.error;
  const std::string folder = s.out() + "/trials/" + row.plan.id + "/";
  for (size_t at; (at = text.find(folder)) != text.npos;) text.erase(at, folder.size());
  return text;
}

TEST(ExternalSweep, SaysWhyACommandFailed) {
  EXPECT_EQ(failure("echo no such GPU >&2; exit 7"),
            "the command ended with code 7; its outputs: stderr and stdout; the last line: no such "
            "GPU");
  EXPECT_EQ(failure("kill -SEGV $$"),
            "the command ended by signal 11; its outputs: stderr and stdout");
  EXPECT_EQ(failure("sleep 1000 & sleep 1000", "time_limit = 0.5\n"),
            "the command took longer than trial.time_limit = 0.5 s and was ended; its outputs: "
            "stderr and stdout");
  EXPECT_EQ(failure("true"), "log.csv: the command has written no such log");
  EXPECT_EQ(failure("mkdir $1/log.csv").substr(0, 8), "log.csv:");
  EXPECT_EQ(failure("echo step,train_loss >$1/log.csv"),
            "log.csv: has no column \"loss\" (it has: step, train_loss); trial.columns names them");
  EXPECT_EQ(failure("printf 'step,loss,val_loss\\n1,2,\\n' >$1/log.csv"),
            "log.csv: has no value of \"val_loss\"");
  EXPECT_EQ(failure("printf 'step,loss,val_loss\\n1,2,3\\n' >$1/log.csv", "steps = 8\n"),
            "the log ends at step 1 of 8");
}

TEST(ExternalSweep, ALossThatIsNotFiniteIsAResultHoweverTheCommandEnds) {
  const SmallSweep s;
  s.write("seeds = [1]\n[grid]\n[trial]\ncommand = \"sh train.sh {out}\"\nsteps = 50\n");
  s.write_script("printf 'step,loss,val_loss\\n1,2,\\n2,nan,\\n' >$1/log.csv; exit 1");
  const ProgramEnd o = s.sweep();
  EXPECT_EQ(o.code, 0) << o.err;
  EXPECT_EQ(s.count("diverged"), 1);
  EXPECT_EQ(s.rows()[0].result->ended, TrialEnd::kNotFinite);
  EXPECT_EQ(s.rows()[0].result->reason, "the loss is nan in step 2");
}

TEST(ExternalSweep, ARunWhoseFirstLossIsNoNumberDiverged) {
  const SmallSweep s;
  s.write("seeds = [1, 2]\n[grid]\n[trial]\ncommand = \"sh train.sh {out} {seed}\"\n");
  s.write_script(
      "echo step,loss,val_loss >$1/log.csv\n"
      "if [ $2 = 1 ]; then echo 0,nan,nan; else echo 0,3,; echo 1,2,2; fi >>$1/log.csv\n");
  const ProgramEnd o = s.sweep();
  EXPECT_EQ(o.code, 0) << o.err;
  EXPECT_EQ(s.count("done"), 2);
  EXPECT_EQ(s.count("diverged"), 1);
}

TEST(ExternalSweep, ALostRunIsStoppedEarly) {
  const SmallSweep s;
  s.write(
      "seeds = [1]\n[grid]\n[trial]\ncommand = \"exec sh train.sh {out}\"\nsteps = 400\n"
      "unigram_entropy = 3.0\n");
  // It learns and then loses all again; and if nobody stopped it, it would end with no more.
  s.write_script(
      "echo step,loss,val_loss >$1/log.csv\nfor i in $(seq 1 50); do echo $i,2, ; done "
      ">>$1/log.csv\nfor i in $(seq 51 200); do echo $i,9, ; done >>$1/log.csv\nsleep 60\n");
  const ProgramEnd o = s.sweep();
  EXPECT_EQ(o.code, 0) << o.err;
  EXPECT_EQ(s.rows()[0].result->ended, TrialEnd::kStoppedEarly);
  EXPECT_EQ(s.count("diverged"), 1);
}

bool lives(const std::string& word) {
  for (const std::string& name : real_fs().list("/proc")) {
    if (name.find_first_not_of("0123456789") != name.npos) continue;
    try {
      const std::string line = real_fs().read_file("/proc/" + name + "/cmdline", 1 << 16);
      if (line.find(word) != line.npos) return true;
    } catch (const DataError&) {
      continue;
    }
  }
  return false;
}

// Also of a sweep that was killed: the next one ends what it left, so that no two write to the same
// folder.
TEST(ExternalSweep, NothingOfACommandStaysBehind) {
  const SmallSweep s;
  const std::string seconds = std::to_string(7'000'000 + ::getpid());
  s.write("seeds = [1]\n[grid]\n[trial]\ncommand = \"sh train.sh {out}; true\"\n");
  s.write_script("sleep " + seconds + " &\nwait\n");
  const auto started = [&] { return holds_soon([&] { return lives(seconds); }); };
  {
    Running run(s.line());
    ASSERT_TRUE(started());
    run.send(SIGTERM);
    EXPECT_EQ(run.wait().code, 75);
  }
  EXPECT_FALSE(lives(seconds));
  {
    Running run(s.line());
    ASSERT_TRUE(started());
    run.send(SIGKILL);
    run.wait();
  }
  s.write_script(kScript);
  overwrite(s.file("train.sh"), "printf 'step,loss,val_loss\\n1,2,3\\n' >$1/log.csv\n");
  const ProgramEnd o = s.sweep();
  EXPECT_EQ(o.code, 0) << o.err;
  EXPECT_EQ(s.rows()[0].attempts, 0);
  EXPECT_FALSE(lives(seconds));
}

}  // namespace
}  // namespace keel
