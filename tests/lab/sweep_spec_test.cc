// Files of sweeps: which trials they mean, and what is said of those that are wrong.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "core/error.h"
#include "io/error_text.h"
#include "io/temp_dir.h"
#include "lab/sweep/external.h"
#include "lab/sweep/spec.h"

namespace keel {
namespace {

class SweepFile {
 public:
  SweepFile() {
    real_fs().write_file(dir_ / "run.toml",
                         "[model]\ndim = 32\nlayers = 1\nheads = 2\ncontext = 32\n"
                         "[data]\nkind = \"text\"\npath = \"text.txt\"\n");
  }
  Sweep read(const std::string& text, bool many = false) {
    real_fs().remove_quietly(file());
    real_fs().write_file(file(), text);
    return read_sweep(file(), many);
  }
  // What is wrong with it, without the folder.
  std::string error(const std::string& text) {
    std::string what = error_text<ConfigError>([&] { read(text); });
    for (size_t at; (at = what.find(dir_.path() + "/")) != what.npos;) {
      what.erase(at, dir_.path().size() + 1);
    }
    return what;
  }
  std::string file() const { return dir_ / "sweep.toml"; }
  const TempDir& dir() const { return dir_; }

 private:
  TempDir dir_;
};

const std::string kTop = "base = \"run.toml\"\nseeds = 2\n";

std::vector<std::string> names(const Sweep& sweep) {
  std::vector<std::string> out;
  for (const TrialPlan& t : sweep.trials) out.push_back(trial_name(t));
  return out;
}

bool has(const std::vector<std::string>& sets, const std::string& set) {
  return std::find(sets.begin(), sets.end(), set) != sets.end();
}

TEST(SweepFile, AGridIsEachWithEach) {
  SweepFile f;
  const Sweep s = f.read(kTop +
                         "[grid]\noptim.lr = [0.1, 1e-3]\n\"model.norm.kind\" = [\"rms\", "
                         "\"layer\"]\n[set]\ntrain.steps = 7\n");
  EXPECT_EQ(
      names(s),
      (std::vector<std::string>{
          "optim.lr=0.1 model.norm.kind=rms seed 1", "optim.lr=0.1 model.norm.kind=layer seed 1",
          "optim.lr=0.001 model.norm.kind=rms seed 1",
          "optim.lr=0.001 model.norm.kind=layer seed 1", "optim.lr=0.1 model.norm.kind=rms seed 2",
          "optim.lr=0.1 model.norm.kind=layer seed 2", "optim.lr=0.001 model.norm.kind=rms seed 2",
          "optim.lr=0.001 model.norm.kind=layer seed 2"}));
  const RunConfig c = config_of(s.setup, s.trials[3]);
  EXPECT_TRUE(has(s.trials[3].sets, "optim.lr=0.001"));
  EXPECT_EQ(c.train.steps, 7);
  EXPECT_EQ(c.train.seed, 1);
  EXPECT_EQ(c.train.threads, 1);
  EXPECT_EQ(c.checkpoint.every, 0);
  EXPECT_EQ(c.sample.tokens, 0);
  EXPECT_EQ(s.setup.base, f.dir() / "run.toml");
  EXPECT_TRUE(s.setup.early_stop);
  EXPECT_TRUE(s.notes.empty());
}

TEST(SweepFile, AListIsTakenAsItIs) {
  SweepFile f;
  const Sweep s = f.read(
      "base = \"run.toml\"\nseeds = [7, 3]\njobs = 5\nkeep_runs = true\nearly_stop = false\n"
      "list = [{optim.lr = 0.5}, {optim.lr = 0.25, train.batch = 2}]\n"
      "[set]\ntrain.threads = 2\ncheckpoint.every = 9\nsample.tokens = 4\n");
  EXPECT_EQ(names(s), (std::vector<std::string>{
                          "optim.lr=0.5 seed 7", "optim.lr=0.25 train.batch=2 seed 7",
                          "optim.lr=0.5 seed 3", "optim.lr=0.25 train.batch=2 seed 3"}));
  EXPECT_EQ(s.jobs, 5);
  EXPECT_TRUE(s.keep);
  EXPECT_FALSE(s.setup.early_stop);
  EXPECT_EQ(s.setup.threads, 2);
  const RunConfig c = config_of(s.setup, s.trials[1]);
  EXPECT_EQ(c.train.threads, 2);
  EXPECT_EQ(c.checkpoint.every, 9);
  EXPECT_EQ(c.sample.tokens, 0);
}

TEST(SweepFile, OneSeedIsSaidToHaveNoIntervals) {
  SweepFile f;
  const Sweep s = f.read("base = \"run.toml\"\nseeds = 1\n[grid]\n");
  EXPECT_EQ(names(s), std::vector<std::string>{"seed 1"});
  ASSERT_EQ(s.notes.size(), 1u);
  EXPECT_EQ(s.notes[0],
            "one seed: there are no intervals, and no way to tell a difference from chance");
}

// Equal outcomes have equal ids, whatever the file looks like.
TEST(SweepFile, AnIdIsThatOfTheResolvedConfigAndTheSeed) {
  SweepFile f;
  const auto id = [&](const std::string& rest, const std::string& seeds = "[4]") {
    return f.read("base = \"run.toml\"\nseeds = " + seeds + "\n" + rest).trials.front().id;
  };
  const std::string one = id("[grid]\noptim.lr = [0.1]\n");
  EXPECT_EQ(one.size(), 32u);
  EXPECT_EQ(id("list = [{\"optim.lr\" = 1e-1}]\n"), one);
  EXPECT_EQ(id("[grid]\n[set]\noptim.lr = 0.1\n"), one);
  EXPECT_EQ(id("[grid]\noptim.lr = [0.1]\n[set]\ntrain.threads = 3\ncheckpoint.every = 5\n"
               "log.every = 7\n"),
            one);
  EXPECT_NE(id("[grid]\noptim.lr = [0.1]\n", "[5]"), one);
  EXPECT_NE(id("[grid]\noptim.lr = [0.2]\n"), one);
  EXPECT_NE(id("[grid]\noptim.lr = [0.1]\n[set]\ntrain.steps = 3\n"), one);
}

TEST(SweepFile, RelativePathsStartInItsFolder) {
  SweepFile f;
  const Sweep s = f.read(kTop +
                         "[grid]\ndata.path = [\"a.txt\", \"../b.txt\"]\n[set]\n"
                         "data.val_path = [\"sub/c.txt\", \"/d.txt\"]\n");
  const std::string parent = parent_path(f.dir().path());
  EXPECT_TRUE(has(s.trials[0].sets, "data.path=\"" + (f.dir() / "a.txt") + "\""))
      << s.trials[0].sets[3];
  EXPECT_TRUE(has(s.trials[1].sets, "data.path=\"" + parent + "/b.txt\""));
  EXPECT_TRUE(
      has(s.trials[1].sets, "data.val_path=[\"" + (f.dir() / "sub/c.txt") + "\", \"/d.txt\"]"));
}

TEST(SweepFile, WhatIsWrongWithTheFileIsSaidAtItsPlace) {
  SweepFile f;
  EXPECT_EQ(f.error(kTop + "seed = 3\n[gird]\noptim.lr = [1]\n"),
            "sweep.toml:3:1: seed: unknown key, did you mean \"seeds\"?\n"
            "sweep.toml:4:2: gird: unknown key, did you mean \"grid\"?");
  EXPECT_EQ(f.error("base = \"run.toml\"\n[grid]\n"),
            "seeds: missing; a number n for 1 to n, or a list");
  const std::string seeds =
      ": seeds: must be a number n from 1 to 1000, for the seeds 1 to n, or a list of different "
      "whole numbers from 0 on";
  for (const char* wrong : {"0", "1001", "1.5", "[]", "[1, 1]", "[-1]", "[\"a\"]", "\"3\""}) {
    EXPECT_EQ(f.error(fmt::format("base = \"run.toml\"\nseeds = {}\n[grid]\n", wrong)),
              "sweep.toml:2:9" + seeds)
        << wrong;
  }
  EXPECT_EQ(f.error(kTop + "[grid]\noptim.lr = 3\ntrain.batch = []\nmodel.dim = [32, 64, 32]\n"),
            "sweep.toml:4:12: optim.lr: must be a list of values\n"
            "sweep.toml:5:15: train.batch: must be a list of values\n"
            "sweep.toml:6:13: model.dim: 32 is there twice");
  EXPECT_EQ(f.error("seeds = 2\n[grid]\n"),
            "sweep.toml: base: missing: the config of the trials, or trial.command for a trainer "
            "that is not ours");
  EXPECT_EQ(f.error(kTop + "[grid]\n[trial]\ncommand = \"x\"\n"),
            "sweep.toml:1:8: base: has no meaning beside trial.command");
  EXPECT_EQ(f.error(kTop + "list = [{optim.lr = 1}]\n[grid]\noptim.lr = [1]\n"),
            "sweep.toml:3:8: list: stands instead of [grid]; leave one of them out");
  EXPECT_EQ(f.error(kTop),
            "sweep.toml: grid: missing: a table of lists, or `list`; an empty table "
            "is one trial a seed");
  EXPECT_EQ(f.error(kTop + "[grid]\n[rule]\nmargin = 2\n").substr(0, 25),
            "sweep.toml:5:10: rule.mar");
}

// All at once, each thing once.
TEST(SweepFile, WhatIsWrongWithTrialsIsSaidBeforeAnythingRuns) {
  SweepFile f;
  EXPECT_EQ(f.error(kTop + "[grid]\noptim.lr = [0.1, -1.0]\nmodel.heads = [2, 3]\n[set]\n"
                           "model.norm.epz = 1\n"),
            "sweep.toml:7:12: model.norm.epz: unknown key, did you mean \"eps\"? (all 8 trials)\n"
            "sweep.toml:5:7: model.heads: 3 heads do not divide dim 32; choose a divisor, or set "
            "model.head_dim (optim.lr=0.1 "
            "model.heads=3 seed 1 and 3 more)\n"
            "sweep.toml:4:7: optim.lr: must be at least 0, is -1.0 (optim.lr=-1.0 model.heads=2 "
            "seed 1 and 3 more)");
  EXPECT_EQ(f.error("base = \"run.toml\"\nseeds = [6]\n[grid]\n[set]\ntrain.dtype = \"auto\"\n"
                    "stop.patience = 3\n"),
            "train.dtype: \"auto\" is decided anew on each machine; trials are compared, so name "
            "\"f32\" or \"bf16\" (seed 6)\n"
            "stop.patience: must be 0 in trials: all are stopped early by one rule, of loss (seed "
            "6)");
  EXPECT_EQ(f.error("base = \"run.toml\"\nseeds = [6]\n[grid]\ntrain.seed = [1]\n"),
            "train.seed: the seeds of a trial are named by `seeds` (train.seed=1 seed 6)");
  EXPECT_EQ(f.error("base = \"run.toml\"\nseeds = [6]\nlist = [{optim.lr = 0.1}, {}, {optim.lr = "
                    "1e-1}]\n"),
            "two trials are the same: optim.lr=0.1 seed 6 and optim.lr=0.1 seed 6 (optim.lr=0.1 "
            "seed 6)");
  EXPECT_EQ(f.error("base = \"nowhere.toml\"\nseeds = 2\n[grid]\n"),
            "config file \"nowhere.toml\" does not exist (all 2 trials)");
}

TEST(SweepFile, ManyTrialsMustBeMeant) {
  SweepFile f;
  const std::string grid = "max_trials = 5\n[grid]\noptim.lr = [0.1, 0.2, 0.3]\n";
  EXPECT_EQ(f.error(kTop + grid), "6 trials are more than max_trials = 5; with --yes they are run");
  EXPECT_EQ(f.read(kTop + grid, true).trials.size(), 6u);
  EXPECT_EQ(f.error(kTop + "max_trials = 1\nlist = [{}]\n"),
            "2 trials are more than max_trials = 1; with --yes they are run");
  std::string huge = kTop + "[grid]\n";
  for (int key = 0; key < 12; ++key) {
    huge += "k" + std::to_string(key) + " = [0";
    for (int i = 1; i < 40; ++i) huge += ", " + std::to_string(i);
    huge += "]\n";
  }
  EXPECT_EQ(f.error(huge).substr(0, 60),
            "at least 2199023255552 trials are more than max_trials = 200");
}

TEST(SweepFile, GoesOnOnlyAsTheSweepThatWasBegun) {
  SweepFile f;
  const TempDir out;
  TrialStore store(out.path(), "sweep");
  const auto enter = [&](const std::string& text) { enter_sweep(store, f.read(text)); };
  enter(kTop + "[grid]\noptim.lr = [0.1]\n");
  enter(kTop + "[grid]\noptim.lr = [0.1, 0.2]\n");  // more of them
  EXPECT_EQ(store.counts().trials, 4);
  enter(kTop + "jobs = 7\n[grid]\noptim.lr = [0.1, 0.2]\n");
  const std::string again = ": this is not the sweep that was begun here with " + f.file() + ": ";
  EXPECT_EQ(error_text<ConfigError>(
                [&] { enter(kTop + "early_stop = false\n[grid]\noptim.lr = [0.1, 0.2]\n"); }),
            f.file() + again + "early_stop was true, is false; choose another --out");
  EXPECT_EQ(
      error_text<ConfigError>([&] { enter(kTop + "[grid]\noptim.lr = [0.2, 0.3]\n"); }),
      f.file() + ": 2 trials of the sweep that was begun here with " + f.file() +
          " are not among its trials, the first: optim.lr=0.1 seed 1; the file or the config under "
          "it has changed: put it back (trials may be added), or choose another --out");
  EXPECT_EQ(store.counts().trials, 4);
}

TEST(SweepFile, GoesOnWithAnotherTimeLimit) {
  SweepFile f;
  const TempDir out;
  TrialStore store(out.path(), "sweep");
  const auto enter = [&](const std::string& limit) {
    enter_sweep(
        store,
        f.read("seeds = 2\n[grid]\nlr = [0.1]\n[trial]\ncommand = \"x {lr} {out}\"\n" + limit));
  };
  enter("time_limit = 1\n");
  enter("time_limit = 20\n");
  EXPECT_EQ(store.counts().trials, 2);
  EXPECT_TRUE(
      error_text<ConfigError>([&] { enter("steps = 5\n"); }).ends_with("choose another --out"));
}

const std::string kExternal =
    "seeds = 1\n[grid]\nlr = [0.1]\n\"a.x\" = [\"it's\"]\n[set]\nb.x = 2\n"
    "c.y = \"word\"\n[trial]\n";

TEST(ExternalTrials, PlaceholdersAreFilledInQuoted) {
  SweepFile f;
  const Sweep s = f.read(kExternal +
                         "command = \"run {lr} {a.x} {b.x} {y} {c.y} {seed} {arm} {out} "
                         "{{}}\"\nsteps = 9\n");
  EXPECT_EQ(s.setup.folder, f.dir().path());
  EXPECT_EQ(fill_in(s.setup.command, s.trials[0], "/o p"),
            "run 0.1 'it'\\''s' 2 word word 1 '' '/o p' {}");
  EXPECT_EQ(s.setup.steps, 9);
  EXPECT_EQ(s.setup.columns,
            (std::vector<std::string>{"step=step", "loss=loss", "val_loss=val_loss"}));
}

TEST(ExternalTrials, WhatIsWrongWithTheCommand) {
  SweepFile f;
  const auto error = [&](const std::string& rest) { return f.error(kExternal + rest); };
  EXPECT_EQ(error("command = \"run {lrr}\"\n"),
            "trial.command: {lrr} names nothing, did you mean \"lr\"? (known: a.x arm b.x c.y lr "
            "out seed x y); a brace itself is written twice (lr=0.1 a.x=\"it's\" seed 1)");
  EXPECT_EQ(error("command = \"run {x}\"\n"),
            "trial.command: {x} could be the value of several keys; name one in full (lr=0.1 "
            "a.x=\"it's\" seed 1)");
  EXPECT_EQ(error("command = \"run {lr\"\n"),
            "trial.command: a { is not closed (lr=0.1 a.x=\"it's\" seed 1)");
  EXPECT_EQ(error("command = \"run\"\nlog = \"log.txt\"\n"),
            "sweep.toml:10:7: trial.log: must end in .csv or .jsonl, or be one of TensorBoard's "
            "event files or a folder of them");
  EXPECT_EQ(error("command = \"run\"\nsteps = 3\nwarmup = 4\n"),
            "sweep.toml:11:10: trial.warmup: 4 is more than steps = 3");
}

}  // namespace
}  // namespace keel
