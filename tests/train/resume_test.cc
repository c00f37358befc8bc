// A run that was stopped and resumed ends with the same bits as one that never stopped.
#include <gtest/gtest.h>

#include "save_trainer.h"
#include "small_session.h"

namespace keel::test {
namespace {

using Resume = InDType;
INSTANTIATE_TEST_SUITE_P(Train, Resume, kDTypes, dtype_suffix);

TEST_P(Resume, TrainerFromItsCheckpointGoesOnWithTheSameBits) {
  const Folder folder;
  real_fs().make_dir(folder / "run");
  for (const int64_t at : {1, 5, 11}) {
    SmallRun unbroken(kTextRun, folder.sets(), GetParam());
    for (int64_t i = 0; i < at; ++i) unbroken->step();
    const std::string path =
        save_trainer(real_fs(), folder / "run", *unbroken, {1.5, 2.5}, "seed = 0\n");
    SmallRun resumed(kTextRun, folder.sets(), GetParam());
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

// What is state of the model and no parameter comes back from the checkpoint too: the singular
// vectors of sigma-reparametrised linears, moved once a step while a step has two micro-batches.
TEST_P(Resume, SigmaReparamGoesOnWithTheSameBits) {
  const Folder folder;
  real_fs().make_dir(folder / "run");
  std::vector<std::string> sets = folder.sets();
  sets.emplace_back("model.linear.kind=sigma_reparam");
  const auto vectors = [](const SmallRun& run) {
    std::vector<std::vector<float>> all;
    for (const auto& b : run.parameters().buffers()) all.push_back(to_host(b.tensor));
    return all;
  };
  SmallRun unbroken(kTextRun, sets, GetParam());
  const auto first = vectors(unbroken);
  EXPECT_EQ(first.size(), 2 * 7);  // q k v out gate up down of two layers
  for (int i = 0; i < 5; ++i) unbroken->step();
  const std::string path = save_trainer(real_fs(), folder / "run", *unbroken, {1, 2}, "");
  const auto saved = vectors(unbroken);
  EXPECT_NE(saved, first);
  unbroken->evaluate(0);
  EXPECT_EQ(vectors(unbroken), saved);
  SmallRun resumed(kTextRun, sets, GetParam());
  for (int i = 0; i < 6; ++i) resumed->step();
  load_trainer(load_checkpoint(path), *resumed);
  EXPECT_EQ(vectors(resumed), saved);
  for (int i = 5; i < 9; ++i) EXPECT_EQ(unbroken->step().loss, resumed->step().loss);
  EXPECT_TRUE(snapshot(*resumed) == snapshot(*unbroken));
  EXPECT_EQ(vectors(resumed), vectors(unbroken));
}

std::vector<std::string> in(DType t) { return {"train.dtype=" + std::string(name_of(t))}; }

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

}  // namespace
}  // namespace keel::test
