#include "train/session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "checkpoints.h"
#include "harness/check_op.h"
#include "harness/expect_error.h"
#include "small_session.h"
#include "train/checkpoint.h"

namespace keel::test {
namespace {

TEST(Sessions, WithoutACheckpointStartsAtStepZero) {
  const Folder folder;
  Watcher whole, resumed;
  Session unbroken = create_session(real_fs(), folder / "run.toml", {}, folder / "a");
  run(unbroken, whole);
  create_session(real_fs(), folder / "run.toml", {}, folder / "b");
  Session s = resume_session(real_fs(), folder / "b", {});
  EXPECT_EQ(s.resumed_at, 0);
  EXPECT_TRUE(noted(s, "the run has no checkpoint: starting at step 0"));
  run(s, resumed);
  EXPECT_EQ(resumed.losses, whole.losses);
  EXPECT_TRUE(snapshot(*s.trainer) == snapshot(*unbroken.trainer));
}

TEST(Sessions, FinishedRunHasNothingLeftToDo) {
  const Folder folder;
  Watcher whole, again;
  {
    Session s = create_session(real_fs(), folder / "run.toml", {}, folder / "a");
    run(s, whole);
  }
  Session s = resume_session(real_fs(), folder / "a", {});
  EXPECT_EQ(s.resumed_at, 12);
  const Snapshot before = snapshot(*s.trainer);
  const RunOutcome o = run(s, again);
  EXPECT_EQ(o.end, RunEnd::kFinished);
  EXPECT_EQ(o.steps, 12);
  EXPECT_TRUE(again.losses.empty());
  EXPECT_TRUE(again.saved.empty());
  EXPECT_TRUE(o.val_loss.has_value());
  EXPECT_FALSE(o.train_loss.has_value());
  EXPECT_TRUE(snapshot(*s.trainer) == before);
}

TEST(Sessions, MoreStepsOnResumeHoldTheFinalRate) {
  const Folder folder;
  Watcher whole, more;
  {
    Session s = create_session(real_fs(), folder / "run.toml", {}, folder / "a");
    EXPECT_EQ(s.config.schedule.steps, 12);
    run(s, whole);
  }
  Session s = resume_session(real_fs(), folder / "a", {"train.steps=15"});
  EXPECT_EQ(s.config.schedule.steps, 12);
  EXPECT_EQ(run(s, more).steps, 15);
  ASSERT_EQ(more.rates.size(), 3u);
  for (const double r : more.rates) EXPECT_NEAR(r, 0.001, 1e-9);
}

TEST(Sessions, StartFromTheWeightsOfAnotherRun) {
  const Folder folder;
  Watcher whole;
  Session first = create_session(real_fs(), folder / "run.toml", {}, folder / "a");
  run(first, whole);
  const std::string weights = folder / "a/ckpt/step-00000012/model.safetensors";
  for (const std::string& from : {folder / "a", weights}) {
    Session s = create_session(real_fs(), folder / "run.toml", {"train.init=\"" + from + "\""},
                               folder / (from == weights ? "c" : "b"));
    EXPECT_EQ(s.trainer->steps_done(), 0);
    for (const Parameter& p : first.trainer->model().parameters().list()) {
      EXPECT_TRUE(same_bits(parameter(s.trainer->model().parameters(), p.name).weight, p.weight));
    }
  }
}

TEST(Sessions, RefusedRunsLeaveNothingBehind) {
  const Folder folder;
  const auto create = [&](const std::vector<std::string>& sets) {
    create_session(real_fs(), folder / "run.toml", sets, folder / "a");
  };
  EXPECT_THROW(create({"model.heads=3"}), ConfigError);
  EXPECT_THROW(create({"data.path=missing.txt"}), DataError);
  EXPECT_THROW(create({"model.dim=1048576", "model.layers=1000", "model.heads=1"}), MemoryError);
  if (!kHasCuda) {
    EXPECT_THROW(create({"train.device=cuda"}), DeviceError);
  }
  EXPECT_THROW(create({"train.init=\"" + (folder / "nowhere") + "\""}), DataError);
  EXPECT_EQ(real_fs().list(folder / ".").size(), 2u);  // config and text
}

TEST(Sessions, FolderThatExistsIsKept) {
  const Folder folder;
  real_fs().make_dir(folder / "a");
  try {
    create_session(real_fs(), folder / "run.toml", {}, folder / "a");
    ADD_FAILURE() << "no error";
  } catch (const ConfigError& e) {
    EXPECT_NE(std::string(e.what()).find("keel resume"), std::string::npos) << e.what();
  }
  EXPECT_TRUE(real_fs().list(folder / "a").empty());
}

TEST(Sessions, OneProcessAtATime) {
  const Folder folder;
  const Session s = create_session(real_fs(), folder / "run.toml", {}, folder / "a");
  EXPECT_THROW(resume_session(real_fs(), folder / "a", {}), ConfigError);
}

// What "finished" has to say is said of the run as it was trained.
TEST(Sessions, FinishedRunKeepsItsConfig) {
  const Folder folder;
  Watcher w;
  {
    Session s = create_session(real_fs(), folder / "run.toml", {}, folder / "a");
    run(s, w);
  }
  const auto text = [&](const char* name) {
    return real_fs().read_file(folder / (std::string("a/") + name), kMaxTextBytes);
  };
  const std::string config = text("config.toml"), origins = text("config.origin.json");
  for (const char* set : {"optim.lr=0.5", "train.steps=3"}) {
    EXPECT_EQ(resume_session(real_fs(), folder / "a", {set}).resumed_at, 12);
    EXPECT_EQ(text("config.toml"), config);
    EXPECT_EQ(text("config.origin.json"), origins);
  }
  EXPECT_EQ(resume_session(real_fs(), folder / "a", {"train.steps=13"}).resumed_at, 12);
  EXPECT_NE(text("config.toml"), config);
}

// Resume, a trained model and first weights take the newest that verifies and say what they passed.
TEST(Sessions, DamagedCheckpointsArePassedOverAndNamed) {
  const Folder folder;
  Watcher w;
  {
    Session s = create_session(real_fs(), folder / "run.toml", {}, folder / "a");
    run(s, w);
  }
  const std::string newest = folder / "a/ckpt/step-00000012";
  flip(newest + "/model.safetensors", 2000);
  const std::string note = "skipped " + newest + ": " + newest + "/model.safetensors: damaged, ";
  const auto says = [&](const std::vector<std::string>& notes) {
    return std::any_of(notes.begin(), notes.end(),
                       [&](const std::string& n) { return n.starts_with(note); });
  };
  const TrainedModel m = open_model(folder / "a");
  EXPECT_EQ(m.step, 8);
  EXPECT_TRUE(says(m.notes));
  EXPECT_TRUE(says(create_session(real_fs(), folder / "run.toml",
                                  {"train.init=\"" + (folder / "a") + "\""}, folder / "b")
                       .notes));
  Session s = resume_session(real_fs(), folder / "a", {});
  EXPECT_EQ(s.resumed_at, 8);
  EXPECT_TRUE(says(s.notes));
}

// A checkpoint that holds more, or less, or other state than the run has.
TEST(Sessions, StateOfAnotherRunIsRefused) {
  const Folder folder;
  Watcher w;
  for (const char* name : {"a", "b"}) {
    const bool average = name[0] == 'b';
    Session s = create_session(real_fs(), folder / "run.toml",
                               {average ? "train.ema=0.9" : "train.ema=0"}, folder / name);
    run(s, w);
  }
  const std::string own = folder / "a/ckpt/step-00000012";
  const std::string other = folder / "b/ckpt/step-00000012";
  const auto swap_state = [](const std::string& into, const std::string& from) {
    overwrite(into + "/state.safetensors", read_text(from + "/state.safetensors"));
    seal_again(into);
  };
  const std::string state = read_text(own + "/state.safetensors");
  swap_state(own, other);
  expect_error<DataError>(
      own + "/state.safetensors: tensor average is not part of this run's state",
      [&] { resume_session(real_fs(), folder / "a", {}); });
  overwrite(other + "/state.safetensors", state);
  seal_again(other);
  expect_error<DataError>(other + "/state.safetensors: it has no tensor \"average\"",
                          [&] { resume_session(real_fs(), folder / "b", {}); });
  // State that a changed config has no use for is no fault.
  swap_state(other, own);
  EXPECT_EQ(resume_session(real_fs(), folder / "b", {"train.ema=0"}).resumed_at, 12);
}

TEST(Sessions, LeftoversOfDeadProcessesGoAndAreNamed) {
  const Folder folder;
  create_session(real_fs(), folder / "run.toml", {}, folder / "a");
  const std::string left = folder / "a/ckpt/step-00000004.tmp-0123456789abcdef";
  real_fs().make_dir(left);
  const Session s = resume_session(real_fs(), folder / "a", {});
  EXPECT_TRUE(noted(s, "removed what a process that died left: " + left));
  EXPECT_FALSE(real_fs().exists(left));
}

TEST(Loop, RotationKeepsWhatTheConfigSays) {
  const Folder folder;
  Watcher w;
  Session s = create_session(real_fs(), folder / "run.toml",
                             {"checkpoint={every=1, keep=2, keep_every=5}"}, folder / "a");
  run(s, w);
  std::vector<int64_t> steps;
  for (const auto& e : list_checkpoints(real_fs(), folder / "a")) steps.push_back(e.step);
  EXPECT_EQ(steps, (std::vector<int64_t>{5, 10, 11, 12}));
}

TEST(Loop, StopsAtALossThatIsNotFinite) {
  const Folder folder;
  Watcher w;
  Session s = create_session(real_fs(), folder / "run.toml", {"checkpoint.every=1"}, folder / "a");
  w.stop_after = 2;
  run(s, w);
  w.stop.clear();
  s.trainer->model().parameters().flat_weights().data<float>()[1] = std::nanf("");
  const RunOutcome o = run(s, w);
  EXPECT_EQ(o.end, RunEnd::kDiverged);
  EXPECT_EQ(o.steps, 3);
  EXPECT_EQ(o.reason, "the loss is nan in step 3");
  EXPECT_EQ(w.last_event, "diverged: the loss is nan in step 3");
  EXPECT_FALSE(o.val_loss.has_value());
  EXPECT_EQ(w.saved, (std::vector<int64_t>{1, 2}));
}

// The first loss is fine, its update is not: that is the run's end, not a failure to save.
TEST(Loop, StopsAtAWeightThatIsNotFinite) {
  const Folder folder;
  for (const char* every : {"checkpoint.every=1", "checkpoint.every=0"}) {
    Watcher w;
    Session s = create_session(real_fs(), folder / "run.toml",
                               {"optim.lr=1e38", "schedule.warmup=0", "train.ema=0",
                                "optim.weight_decay=0", "train.steps=1", every},
                               folder / every);
    const RunOutcome o = run(s, w);
    EXPECT_EQ(o.end, RunEnd::kDiverged);
    if (every == std::string("checkpoint.every=1")) {
      EXPECT_EQ(o.reason.substr(0, 8), "tensor \"") << o.reason;
      EXPECT_NE(o.reason.find("\" is not finite at element "), std::string::npos) << o.reason;
      EXPECT_TRUE(o.reason.ends_with(" after step 1")) << o.reason;
    } else {  // the evaluation comes before the save
      EXPECT_EQ(o.reason, "the validation loss is nan after step 1");
    }
    EXPECT_TRUE(w.saved.empty());
  }
}

TEST(Loop, EndsWithoutProgress) {
  const Folder folder;
  Watcher w;
  Session s = create_session(
      real_fs(), folder / "run.toml",
      {"optim.lr=1e-30", "eval.every=1", "stop.patience=2", "checkpoint.every=0"}, folder / "a");
  const RunOutcome o = run(s, w);
  EXPECT_EQ(o.end, RunEnd::kEarly);
  EXPECT_EQ(o.steps, 3);
  EXPECT_EQ(o.reason, "no better validation loss in 2 evaluations");
  EXPECT_EQ(w.last_event, "early_stop: " + o.reason);
  EXPECT_EQ(w.evaluated, (std::vector<int64_t>{1, 2, 3}));
  EXPECT_EQ(w.saved, (std::vector<int64_t>{3}));
}

// What it goes by is in the checkpoint: it does not need the metrics.
TEST(Loop, EndsWithoutProgressAlsoWhenResumedWithoutMetrics) {
  const Folder folder;
  const std::vector<std::string> sets = {"optim.lr=1e-30", "eval.every=2", "stop.patience=4",
                                         "checkpoint.every=1"};
  for (const int64_t stop_after : {1, 2, 3, 5, 9}) {
    const std::string path = folder / ("run" + std::to_string(stop_after));
    Watcher first, second;
    {
      Session s = create_session(real_fs(), folder / "run.toml", sets, path);
      first.stop_after = stop_after;
      EXPECT_EQ(run(s, first).end, RunEnd::kStopped);
    }
    for (const char* name : {"/metrics.db", "/metrics.db-wal", "/metrics.db-shm"}) {
      if (real_fs().exists(path + name)) real_fs().remove_file(path + name);
    }
    Session s = resume_session(real_fs(), path, {});
    const RunOutcome o = run(s, second);
    EXPECT_EQ(o.end, RunEnd::kEarly) << stop_after;
    EXPECT_EQ(o.steps, 10) << stop_after;
  }
}

TEST(Loop, OutcomeHasTheNumbersOfTheRun) {
  const Folder folder;
  Watcher w;
  Session s = create_session(real_fs(), folder / "run.toml", {"train.steps=30", "eval.every=7"},
                             folder / "a");
  const RunOutcome o = run(s, w);
  EXPECT_EQ(w.evaluated, (std::vector<int64_t>{7, 14, 21, 28, 30}));
  double mean = 0;
  for (size_t i = 10; i < 30; ++i) mean += w.losses[i] / 20;
  EXPECT_NEAR(*o.train_loss, mean, 1e-12);
  EXPECT_EQ(*o.val_loss, s.trainer->evaluate(0).loss);
  EXPECT_EQ(o.tokens, 30 * 6 * 16);
  EXPECT_GT(*o.tokens_per_second, 0);
}

TEST(Sessions, TrainedModelComesFromRunOrCheckpoint) {
  const Folder folder;
  Watcher w;
  Session s = create_session(real_fs(), folder / "run.toml", {}, folder / "a");
  run(s, w);
  for (const std::string& from : {folder / "a", folder / "a/ckpt/step-00000012"}) {
    const TrainedModel m = open_model(from);
    EXPECT_EQ(m.step, 12);
    EXPECT_EQ(m.tokenizer->vocab(), 257);
    for (const Parameter& p : m.model->parameters().list()) {
      EXPECT_TRUE(same_bits(p.weight, parameter(s.trainer->model().parameters(), p.name).weight));
    }
  }
  expect_error<DataError>((folder / "none") + ": no such run or checkpoint",
                          [&] { open_model(folder / "none"); });
}

}  // namespace
}  // namespace keel::test
