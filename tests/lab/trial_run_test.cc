// One trial of our own trainer from its config to its result, in this process.
#include "lab/sweep/trial_run.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "io/error_text.h"
#include "io/temp_dir.h"
#include "lab/sweep/plan.h"
#include "lab/sweep/worker.h"
#include "train/loop.h"
#include "train/session.h"

namespace keel {
namespace {

const char* kRun = R"(
[model]
dim = 16
layers = 2
heads = 2
context = 16
[data]
kind = "text"
path = "text.txt"
split = 0.1
[train]
batch = 3
steps = 150
[optim]
lr = 0.01
[schedule]
warmup = 10
[eval]
every = 0
[log]
probes = 2
)";

class Lab {
 public:
  Lab() {
    std::string text;
    for (int i = 0; text.size() < 5000; ++i) text += "line " + std::to_string(i * i) + "\n";
    real_fs().write_file(dir_ / "text.txt", text);
    real_fs().write_file(dir_ / "run.toml", kRun);
    setup.base = dir_ / "run.toml";
    real_fs().make_dir(out());
    store = std::make_unique<TrialStore>(out(), "sweep");
  }
  std::string out() const { return dir_ / "out"; }
  std::string operator/(const std::string& name) const { return dir_ / name; }
  TrialPlan plan(std::vector<std::string> sets = {}) const {
    return plan_trial(setup, sets, {}, "", 4);
  }
  std::optional<TrialResult> run(const TrialPlan& plan) {
    return run_trial(*store, setup, out(), plan, requests, [&] {
      if (++steps == stop_after) requests.ask_stop();
    });
  }
  std::string folder(const TrialPlan& plan) const { return trial_folder(out(), plan.id); }

  TrialSetup setup;
  std::unique_ptr<TrialStore> store;
  StopRequests requests;
  int64_t steps = 0, stop_after = -1;  // of this process

 private:
  TempDir dir_;
};

// What must not depend on how often a trial was interrupted.
void expect_same(const TrialResult& a, const TrialResult& b) {
  EXPECT_EQ(a.losses, b.losses);
  EXPECT_EQ(a.val_loss, b.val_loss);
  EXPECT_EQ(a.ended, b.ended);
  EXPECT_EQ(a.reason, b.reason);
  EXPECT_EQ(a.tokens, b.tokens);
  EXPECT_EQ(a.numbers, b.numbers);
  ASSERT_EQ(a.series.size(), b.series.size());
  for (const auto& [name, s] : a.series) {
    EXPECT_EQ(s.steps, b.series.at(name).steps) << name;
    EXPECT_EQ(s.values, b.series.at(name).values) << name;
  }
}

TEST(TrialRun, IsTheRunThatTrainDoes) {
  Lab lab;
  const TrialPlan plan = lab.plan();
  const TrialResult r = lab.run(plan).value();
  EXPECT_EQ(r.ended, TrialEnd::kFinished);
  EXPECT_EQ(r.steps, 150);
  ASSERT_EQ(r.losses.size(), 150u);
  EXPECT_EQ(r.tokens, 150 * 3 * 16);
  EXPECT_GT(r.seconds, 0);
  EXPECT_GT(r.step_seconds, 0);
  EXPECT_GT(r.peak_bytes, 1 << 20);
  EXPECT_EQ(lab.steps, 150);  // heartbeats

  Session s = create_session(real_fs(), lab.setup.base, {"train.seed=4"}, lab / "bare");
  struct Watch final : Observer {
    std::vector<double> losses;
    void on_step(const Trainer&, const StepResult& x, double) override { losses.push_back(x.loss); }
  } watch;
  StopRequests none;
  RunLoop loop(s, real_fs(), {&watch}, none);
  EXPECT_EQ(r.val_loss, loop.run().val_loss);
  EXPECT_EQ(r.losses, watch.losses);
  // Nobody goes on with a trial that is done.
  EXPECT_TRUE(real_fs().list(lab.folder(plan) + "/ckpt").empty());
  EXPECT_FALSE(real_fs().list(lab / "bare/ckpt").empty());
}

TEST(TrialRun, KeepsSeriesAndWhatItIsJudgedBy) {
  Lab lab;
  const TrialResult r = lab.run(lab.plan()).value();
  for (const char* name : {"attn_logit_max/layer00", "attn_logit_max/layer01"}) {
    ASSERT_TRUE(r.series.contains(name)) << name;
    const TrialSeries& s = r.series.at(name);
    EXPECT_EQ(s.steps.size(), 60u);
    EXPECT_EQ(s.values.size(), 60u);
    EXPECT_LE(s.steps.front(), 2);
    EXPECT_GE(s.steps.back(), 149);
  }
  EXPECT_FALSE(r.series.contains("loss"));
  const RunShape shape = run_shape(r);
  EXPECT_EQ(shape.total_steps, 150);
  EXPECT_EQ(shape.warmup_steps, 10);
  EXPECT_EQ(shape.unigram_entropy,
            data_entropy(*lab.store, config_of(lab.setup, lab.plan())).unigram);
  EXPECT_GT(shape.unigram_entropy, 1);
  EXPECT_LT(shape.unigram_entropy, std::log(256.0));
  TrialResult without = r;
  without.numbers.erase("warmup_steps");
  EXPECT_EQ(error_text<DataError>([&] { run_shape(without); }),
            "the result of a trial has no warmup_steps, by which it is judged");
}

TEST(TrialRun, EntropiesAreComputedOnceForTheSameData) {
  Lab lab;
  const RunConfig a = config_of(lab.setup, lab.plan()),
                  b = config_of(lab.setup, lab.plan({"optim.lr=0.5", "model.layers=1"})),
                  c = config_of(lab.setup, lab.plan({"data.split=0.3"}));
  const TokenEntropy known = data_entropy(*lab.store, a);
  EXPECT_EQ(lab.store->meta().size(), 2u);  // beside the kind
  EXPECT_EQ(data_entropy(*lab.store, b).unigram, known.unigram);
  EXPECT_EQ(lab.store->meta().size(), 2u);
  EXPECT_NE(data_entropy(*lab.store, c).unigram, known.unigram);
  for (const auto& [key, value] : lab.store->meta()) {
    if (key.starts_with("data/")) lab.store->set_meta(key, "2.5 x");
  }
  const std::string error = error_text<DataError>([&] { data_entropy(*lab.store, a); });
  EXPECT_TRUE(error.starts_with(join_path(lab.out(), "sweep.db") + ": store of trials: data/"));
  EXPECT_TRUE(error.ends_with(" is \"2.5 x\", not two entropies, a count and a hash"));
  EXPECT_EQ(lab.store->meta().size(), 3u);
  EXPECT_EQ(TrialStore(lab.out(), "").meta(), lab.store->meta());
}

TEST(TrialRun, ALostRunIsStoppedEarly) {
  Lab lab;
  const TrialPlan plan = lab.plan({"optim.lr=30"});
  const TrialResult r = lab.run(plan).value();
  EXPECT_EQ(r.ended, TrialEnd::kStoppedEarly);
  EXPECT_LT(r.losses.size(), 150u);
  EXPECT_TRUE(std::isnan(r.val_loss));
  EXPECT_EQ(r.steps, 150);
  EXPECT_EQ(r.tokens, static_cast<int64_t>(r.losses.size()) * 3 * 16);
  EarlyStop stop(run_shape(r), rule_of(lab.setup));
  for (size_t i = 0; i + 1 < r.losses.size(); ++i) EXPECT_FALSE(stop.add(r.losses[i]));
  ASSERT_TRUE(stop.add(r.losses.back()));
  EXPECT_EQ(r.reason, stop.stopped()->reason);
  const JudgedRun judged = judge_run(run_shape(r), r.losses, r.val_loss, 1, rule_of(lab.setup));
  EXPECT_EQ(judged.verdict, RunVerdict::kDiverged);

  lab.setup.early_stop = false;
  real_fs().remove_tree(lab.folder(plan));
  const TrialResult whole = lab.run(plan).value();
  EXPECT_NE(whole.ended, TrialEnd::kStoppedEarly);
  ASSERT_GT(whole.losses.size(), r.losses.size());
  EXPECT_TRUE(std::equal(r.losses.begin(), r.losses.end(), whole.losses.begin()));
}

TEST(TrialRun, ALossThatIsNotFiniteIsAResult) {
  Lab lab;
  const TrialResult r =
      lab.run(lab.plan({"optim.lr=1e30", "clip.norm=0", "train.steps=40"})).value();
  EXPECT_EQ(r.ended, TrialEnd::kNotFinite);
  EXPECT_FALSE(std::isfinite(r.losses.back()));
  EXPECT_LT(r.losses.size(), 40u);
  EXPECT_TRUE(std::isnan(r.val_loss));
  EXPECT_FALSE(r.reason.empty());
  EXPECT_EQ(judge_run(run_shape(r), r.losses, r.val_loss, 1, rule_of(lab.setup)).verdict,
            RunVerdict::kDiverged);
}

TEST(TrialRun, GoesOnFromTheStepAtWhichItWasStopped) {
  Lab lab;
  const TrialPlan plan = lab.plan();
  const TrialResult whole = lab.run(plan).value();
  real_fs().remove_tree(lab.folder(plan));
  lab.steps = 0;
  lab.stop_after = 61;
  EXPECT_FALSE(lab.run(plan));
  EXPECT_EQ(lab.steps, 61);
  lab.requests.clear();
  const TrialResult r = lab.run(plan).value();
  EXPECT_EQ(lab.steps, 150);
  expect_same(r, whole);
}

// As after a kill: steps beyond the checkpoint are done again.
TEST(TrialRun, GoesOnFromACheckpointThatVerifies) {
  Lab lab;
  const TrialPlan plan = lab.plan({"checkpoint.every=40", "checkpoint.async=false"});
  EXPECT_EQ(plan.id, lab.plan().id);
  const TrialResult whole = lab.run(plan).value();
  const std::string checkpoints = lab.folder(plan) + "/ckpt";
  EXPECT_EQ(real_fs().list(checkpoints).size(), 3u);  // none of the end
  real_fs().remove_tree(checkpoints + "/step-00000120");
  lab.steps = 0;
  expect_same(lab.run(plan).value(), whole);
  EXPECT_EQ(lab.steps, 70);

  for (const std::string& name : real_fs().list(checkpoints)) {
    overwrite(join_path(join_path(checkpoints, name), "MANIFEST.json"), "{}");
  }
  lab.steps = 0;
  expect_same(lab.run(plan).value(), whole);
  EXPECT_EQ(lab.steps, 150);
}

// Losses that the metrics no longer hold cannot be made up.
TEST(TrialRun, StartsAnewWithoutTheMetricsOfItsPast) {
  Lab lab;
  const TrialPlan plan = lab.plan({"checkpoint.every=40"});
  const TrialResult whole = lab.run(plan).value();
  for (const char* name : {"/metrics.db", "/metrics.db-wal", "/metrics.db-shm"}) {
    real_fs().remove_quietly(lab.folder(plan) + name);
  }
  lab.steps = 0;
  expect_same(lab.run(plan).value(), whole);
  EXPECT_EQ(lab.steps, 150);
}

TEST(TrialRun, WhatTheFolderHoldsOtherwiseIsRemoved) {
  Lab lab;
  const TrialPlan plan = lab.plan();
  real_fs().make_dirs(lab.folder(plan));
  real_fs().write_file(lab.folder(plan) + "/config.toml", "no = \"run\"");
  EXPECT_EQ(lab.run(plan)->losses.size(), 150u);
}

TEST(TrialRun, DataThatChangedIsRefused) {
  Lab lab;
  ASSERT_TRUE(lab.run(lab.plan()));
  overwrite(lab / "text.txt", std::string(3000, 'a') + std::string(3000, 'b'));
  EXPECT_EQ(error_text<DataError>([&] { lab.run(lab.plan({"optim.lr=0.02"})); }),
            "the data is not what it was when the sweep began; put it back, or begin another "
            "sweep");
}

TEST(TrialRun, DataWithoutAValidationSplitIsRefused) {
  Lab lab;
  EXPECT_EQ(error_text<DataError>([&] { lab.run(lab.plan({"data.split=0"})); }),
            "the data has no validation split, and a trial is judged by it");
}

TEST(WorkerJobs, AreReadAsTheyWereWritten) {
  const TempDir dir;
  TrialSetup s;
  s.base = "/a b.toml";
  s.early_stop = false;
  s.rule = {"margin=0.3"};
  s.command = "x";
  s.log = "log.csv";
  s.folder = "/f";
  s.columns = {"loss=l"};
  s.time_limit = 1.5;
  s.steps = 7;
  s.warmup_steps = 3;
  s.unigram_entropy = 2.5;
  s.threads = 2;
  write_worker_job(dir.path(), {s, true});
  const WorkerJob job = read_worker_job(dir.path());
  EXPECT_EQ(setup_text(job.setup), setup_text(s));
  EXPECT_NE(setup_text(job.setup), setup_text(TrialSetup()));
  EXPECT_EQ(job.setup.folder, "/f");
  EXPECT_TRUE(job.keep);
  EXPECT_EQ(rule_of(job.setup).margin, 0.3);
}

TEST(Workers, TakeTrialsUntilNoneIsLeft) {
  Lab lab;
  lab.setup.early_stop = false;
  write_worker_job(lab.out(), {lab.setup, false});
  const TrialPlan good = lab.plan({"train.steps=5", "schedule.warmup=2"});
  TrialPlan bad = lab.plan({"train.steps=6", "schedule.warmup=2"});
  bad.sets.push_back("data.path=/nowhere");
  lab.store->add({bad, good});
  work(lab.out(), lab.requests);
  EXPECT_EQ(lab.store->row(good.id)->state, TrialState::kDone);
  const TrialRow failed = lab.store->row(bad.id).value();
  EXPECT_EQ(failed.state, TrialState::kFailed);
  EXPECT_EQ(failed.attempts, 2);
  EXPECT_NE(failed.error.find("/nowhere"), std::string::npos) << failed.error;
  EXPECT_FALSE(real_fs().exists(lab.folder(good)));
}

}  // namespace
}  // namespace keel
