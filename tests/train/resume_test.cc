// A run that was stopped and resumed ends with the same bits as one that never stopped.
#include <gtest/gtest.h>

#include "harness/check_op.h"
#include "io/temp_dir.h"
#include "small_run.h"
#include "train/checkpoint.h"
#include "train/loop.h"
#include "train/session.h"

namespace keel::test {
namespace {

// 61 windows a pass and 6 a step: step 5 is in the middle of the warm-up, the end in the second
// pass over the data.
const char* kRun = R"(
[model]
dim = 16
layers = 2
heads = 2
context = 16
dropout = 0.1
[data]
kind = "text"
path = "text.txt"
split = 0.1
[train]
batch = 3
accumulate = 2
steps = 12
ema = 0.9
[optim]
lr = 0.01
[schedule]
warmup = 7
[eval]
every = 0
[checkpoint]
every = 4
[sample]
tokens = 3
[log]
probes = 0
)";

class Folder {
 public:
  Folder() {
    std::string text;
    for (int i = 0; text.size() < 1100; ++i) text += "line " + std::to_string(i * i) + "\n";
    real_fs().write_file(dir_ / "text.txt", text);
    real_fs().write_file(dir_ / "run.toml", kRun);
  }
  std::string operator/(const std::string& name) const { return dir_ / name; }
  std::vector<std::string> sets() const { return {"data.path=\"" + (dir_ / "text.txt") + "\""}; }

 private:
  TempDir dir_;
};

// Everything that later steps depend on.
struct Snapshot {
  std::vector<std::string> names;
  std::vector<std::vector<float>> values;
  bool operator==(const Snapshot&) const = default;
};

Snapshot snapshot(Trainer& t) {
  Snapshot s;
  for (const Parameter& p : t.model().parameters().list()) {
    s.names.push_back(p.name);
    s.values.push_back(to_host(p.weight));
  }
  for (const StateTensor& x : t.state()) {
    s.names.push_back(x.name);
    s.values.push_back(to_host(x.tensor));
  }
  return s;
}

using Resume = InDType;
INSTANTIATE_TEST_SUITE_P(Train, Resume, kDTypes, dtype_suffix);

TEST_P(Resume, TrainerFromItsCheckpointGoesOnWithTheSameBits) {
  const Folder folder;
  real_fs().make_dir(folder / "run");
  for (const int64_t at : {1, 5, 11}) {
    SmallRun unbroken(kRun, folder.sets(), GetParam());
    for (int64_t i = 0; i < at; ++i) unbroken->step();
    const std::string path =
        save_trainer(real_fs(), folder / "run", *unbroken, {1.5, 2.5}, "seed = 0\n");
    SmallRun resumed(kRun, folder.sets(), GetParam());
    resumed->step();  // what it was before must not matter
    const LoadedCheckpoint checkpoint = load_checkpoint(path);
    load_trainer(checkpoint, *resumed);
    EXPECT_EQ(resumed->steps_done(), at);
    EXPECT_TRUE(snapshot(*resumed) == snapshot(*unbroken));
    for (int64_t i = at; i < 12; ++i) {
      const StepResult a = unbroken->step(), b = resumed->step();
      EXPECT_EQ(a.step, b.step);
      EXPECT_EQ(a.loss, b.loss) << "step " << a.step;
      EXPECT_EQ(a.grad_norm, b.grad_norm) << "step " << a.step;
      EXPECT_EQ(a.rate, b.rate) << "step " << a.step;
    }
    EXPECT_TRUE(snapshot(*resumed) == snapshot(*unbroken));
    EXPECT_EQ(unbroken->evaluate(0).loss, resumed->evaluate(0).loss);
    EXPECT_EQ(unbroken->evaluate(0, true).loss, resumed->evaluate(0, true).loss);
  }
}

// Remembers losses and rates, and asks for a stop after a step.
class Watcher final : public Observer {
 public:
  std::atomic<int> stop{0};
  int64_t stop_after = -1;
  std::vector<double> losses, rates;
  std::vector<int64_t> saved, evaluated;
  std::string last_event;

  void on_step(const Trainer&, const StepResult& r, double) override {
    losses.push_back(r.loss);
    rates.push_back(r.rate);
    if (r.step == stop_after) stop.store(1);
  }
  void on_checkpoint(int64_t step, const std::string&) override { saved.push_back(step); }
  void on_eval(const Trainer&, const Evaluation& e) override { evaluated.push_back(e.step); }
  void on_event(int64_t, std::string_view kind, std::string_view text) override {
    last_event = std::string(kind) + ": " + std::string(text);
  }
};

RunOutcome run(Session& s, Watcher& w) {
  RunLoop loop(*s.trainer, *s.dir, real_fs(), s.config_text, {&w}, w.stop);
  return loop.run();
}

std::vector<std::string> in(DType t) { return {"train.dtype=" + std::string(name_of(t))}; }

bool noted(const Session& s, const std::string& text) {
  for (const std::string& n : s.notes) {
    if (n.find(text) != std::string::npos) return true;
  }
  return false;
}

TEST_P(Resume, SessionStoppedAndResumedEqualsUnbroken) {
  const Folder folder;
  const std::string config = folder / "run.toml";
  Watcher whole, first, second;
  Session unbroken = create_session(real_fs(), config, in(GetParam()), folder / "a");
  EXPECT_EQ(run(unbroken, whole).end, RunEnd::kFinished);
  EXPECT_EQ(whole.saved, (std::vector<int64_t>{4, 8, 12}));
  EXPECT_EQ(whole.evaluated, (std::vector<int64_t>{12}));
  {
    Session s = create_session(real_fs(), config, in(GetParam()), folder / "b");
    first.stop_after = 5;
    const RunOutcome o = run(s, first);
    EXPECT_EQ(o.end, RunEnd::kStopped);
    EXPECT_EQ(o.steps, 5);
    EXPECT_EQ(o.tokens, 5 * 6 * 16);
    EXPECT_EQ(first.last_event, "stop: asked to stop");
    EXPECT_EQ(first.saved, (std::vector<int64_t>{4, 5}));
  }
  Session s = resume_session(real_fs(), folder / "b", {});
  EXPECT_EQ(s.resumed_at, 5);
  EXPECT_TRUE(noted(s, "resuming at step 5 from "));
  const RunOutcome o = run(s, second);
  EXPECT_EQ(o.end, RunEnd::kFinished);
  EXPECT_EQ(o.steps, 12);
  first.losses.insert(first.losses.end(), second.losses.begin(), second.losses.end());
  EXPECT_EQ(first.losses, whole.losses);
  EXPECT_TRUE(snapshot(*s.trainer) == snapshot(*unbroken.trainer));
}

TEST(Sessions, WithoutACheckpointStartsAtStepZero) {
  const Folder folder;
  Watcher whole, resumed;
  Session unbroken = create_session(real_fs(), folder / "run.toml", {}, folder / "a");
  run(unbroken, whole);
  create_session(real_fs(), folder / "run.toml", {}, folder / "b");
  Session s = resume_session(real_fs(), folder / "b", {});
  EXPECT_EQ(s.resumed_at, 0);
  EXPECT_TRUE(noted(s, "no checkpoint verifies: starting at step 0"));
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

}  // namespace
}  // namespace keel::test
