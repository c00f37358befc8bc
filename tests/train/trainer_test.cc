// What a trainer promises beside its bits (bits_test.cc) and its numbers (pytorch_test.cc).
#include "train/trainer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "harness/check_op.h"
#include "harness/config_coverage.h"
#include "harness/expect_error.h"
#include "io/temp_dir.h"
#include "models/variants.h"
#include "save_trainer.h"
#include "small_run.h"

namespace keel::test {
namespace {

TEST(RunConfig, EveryMemberIsAKey) {
  harness::expect_all_walked<RunConfig>("run");
  harness::expect_all_walked<TrainConfig>("train");
  harness::expect_all_walked<BatchWarmupConfig>("batch_warmup");
  harness::expect_all_walked<SeedConfig>("seed");
  harness::expect_all_walked<EvalConfig>("eval");
  harness::expect_all_walked<CheckpointConfig>("checkpoint");
  harness::expect_all_walked<SampleConfig>("sample");
  harness::expect_all_walked<StopConfig>("stop");
  harness::expect_all_walked<LogConfig>("log");
}

TEST(RunConfig, KeepsAtLeastTwoCheckpoints) {
  expect_error<ConfigError>("--set: checkpoint.keep: must be 0 (all) or at least 2, is 1",
                            [] { SmallRun(kMarkovRun, {"checkpoint.keep=1"}); });
}

TEST(RunConfig, KeepsEveryNthOfTheCheckpointsThatAreMade) {
  const auto refused = [](const std::string& table, const std::string& text) {
    expect_error<ConfigError>("--set: checkpoint.keep_every: " + text,
                              [&] { SmallRun(kMarkovRun, {"checkpoint=" + table}); });
  };
  refused("{every=100, keep_every=150}", "150 is not a multiple of checkpoint.every = 100");
  refused("{every=0, keep_every=150}",
          "checkpoint.every = 0 saves after the last step only; set both");
  refused("{every=100, keep=0, keep_every=300}", "checkpoint.keep = 0 keeps all; set one of them");
  refused("{keep_every=-1}", "must be between 0 and 1e+12, is -1");
  refused("{keep_every=9223372036854775807}",
          "must be between 0 and 1e+12, is 9223372036854775807");
  EXPECT_NO_THROW(SmallRun(kMarkovRun, {"checkpoint={every=100, keep_every=300}"}));
}

TEST(RunConfig, VocabularyComesFromModelOrData) {
  RunConfig c;
  c.data.reader.select("shards");
  expect_error<ConfigError>(
      "model.vocab: data.kind \"shards\" does not say how many token ids there are; set "
      "model.vocab",
      [&] { c.vocab(); });
  c.model.vocab = 77;
  EXPECT_EQ(c.vocab(), 77);
  c.model.vocab = 0;
  c.data.reader.select("text");
  EXPECT_EQ(c.vocab(), 257);
}

std::vector<std::string> run_kinds() {
  std::vector<std::string> out = model_kinds("model.");
  for (const std::string& k : optimizers().names()) out.push_back("optim.kind=" + k);
  for (const std::string& k : schedules().names()) out.push_back("schedule.kind=" + k);
  for (const std::string& k : clips().names()) out.push_back("clip.kind=" + k);
  for (const std::string& k : tasks().names()) out.push_back("task.kind=" + k);
  return out;
}

std::vector<std::vector<float>> tensors(Trainer& t) {
  std::vector<std::vector<float>> out;
  for (const Parameter& p : t.model().parameters().list()) out.push_back(to_host(p.weight));
  for (const StateTensor& s : t.state()) out.push_back(to_host(s.tensor));
  return out;
}

// Every kind trains, is saved and comes back with the same bits into a trainer that began apart.
TEST(EveryKindOfRun, SavesAndLoadsBitEqual) {
  const TempDir dir;
  for (const std::string& kind : run_kinds()) {
    for (const DType t : {DType::kF32, DType::kBf16}) {
      if (t == DType::kBf16 && !cpu_has_bf16()) continue;
      // Some schedules rise by themselves and take no warm-up,
      const std::string warmup = "schedule.warmup=0";
      // and muP no decay that goes with the rate.
      const std::string decay = kind.ends_with("=mup") ? "optim.weight_decay=0" : warmup;
      SmallRun a(kMarkovRun, {kind, warmup, decay, "seed.init=1"}, t),
          b(kMarkovRun, {kind, warmup, decay, "seed.init=2"}, t);
      a->step();
      EXPECT_TRUE(std::isfinite(a->step().loss)) << kind;
      b->step();
      const std::string run = dir / "run";
      real_fs().make_dir(run);
      load_trainer(load_checkpoint(save_trainer(real_fs(), run, *a, {}, "")), *b);
      real_fs().remove_quietly(run);
      EXPECT_TRUE(tensors(*a) == tensors(*b)) << kind;
      EXPECT_EQ(a->step().loss, b->step().loss) << kind;
      EXPECT_TRUE(tensors(*a) == tensors(*b)) << kind;
    }
  }
}

TEST(Checkpoint, OfAnotherModelIsRefused) {
  const TempDir dir;
  SmallRun a(kMarkovRun), wider(kMarkovRun, {"model.ffn.hidden=96"}),
      untied(kMarkovRun, {"model.tied=false"});
  const LoadedCheckpoint saved = load_checkpoint(save_trainer(real_fs(), dir.path(), *a, {}, ""));
  EXPECT_THROW(load_trainer(saved, *wider), DataError);
  EXPECT_THROW(load_trainer(saved, *untied), DataError);
  const LoadedCheckpoint more =
      load_checkpoint(save_trainer(real_fs(), dir.path(), *untied, {}, ""));
  expect_error<DataError>(more.model.path() + ": tensor head.weight is not part of this model",
                          [&] { load_trainer(more, *a); });
}

// With independent, nearly normal logits of variance s^2 the mean loss is ln V + s^2 / 2.
TEST(Trainer, LossAtInitialisation) {
  for (const std::vector<std::string>& sets :
       {std::vector<std::string>{},
        {"model.tied=false", "model.position.kind=learned"},
        {"model.norm.kind=layer", "model.init.deviation=0.06"}}) {
    std::vector<std::string> all = {"data.kind=random", "model.vocab=256", "train.batch=8",
                                    "model.context=512", "model.dim=128"};
    all.insert(all.end(), sets.begin(), sets.end());
    SmallRun run(kMarkovRun, all);
    Batch batch;
    run.data->train_batch(0, 8, batch);
    Pass pass;
    pass.tokens = from_host({8, 512}, std::span<const int32_t>(batch.inputs));
    const auto logits_of = [&] {
      NoGrad off;
      return to_host(run->model().logits(pass).t);
    };
    double mean = 0, square = 0;
    const std::vector<float> logits = logits_of();
    for (const float l : logits) {
      mean += static_cast<double>(l) / double(logits.size());
      square += static_cast<double>(l) * static_cast<double>(l) / double(logits.size());
    }
    const StepResult first = run->step();
    EXPECT_EQ(first.tokens, 4096);
    EXPECT_NEAR(first.loss, std::log(256.0) + (square - mean * mean) / 2, 0.05)
        << testing::PrintToString(sets);
  }
}

TEST(Trainer, LearnsAndEvaluatesEachTargetOnce) {
  SmallRun run(kMarkovRun, {"data.successors=2", "data.symbols=16", "data.order=1",
                            "train.steps=120", "clip.norm=1"});
  const EvalResult before = run->evaluate(0);
  EXPECT_EQ(before.tokens, 216);  // 200, rounded up to windows of 24
  for (int i = 0; i < 120; ++i) run->step();
  const EvalResult after = run->evaluate(0);
  EXPECT_EQ(after.tokens, 216);
  EXPECT_LT(after.loss, before.loss - 1);
  EXPECT_GT(after.loss, *run.data->entropy_floor() - 0.1);
  EXPECT_EQ(run->evaluate(0).loss, after.loss);
  EXPECT_EQ(run->evaluate(50).tokens, 72);  // one batch of three windows
}

// An average of decay 0.5 after two steps is w0 / 4 + w1 / 4 + w2 / 2; evaluating it changes
// nothing.
TEST(Trainer, AverageOfTheWeightsIsEvaluatedBeside) {
  SmallRun run(kMarkovRun, {"train.ema=0.5"});
  std::vector<std::vector<float>> w = {to_host(run.parameters().flat_weights())};
  for (int i = 0; i < 2; ++i) {
    run->step();
    w.push_back(to_host(run.parameters().flat_weights()));
  }
  const Tensor average = run->state().back().tensor;
  const std::vector<float> a = to_host(average);
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_NEAR(a[i], w[0][i] / 4 + w[1][i] / 4 + w[2][i] / 2, 1e-6);
  }
  const double own = run->evaluate(0).loss, averaged = run->evaluate(0, true).loss;
  EXPECT_NE(own, averaged);
  EXPECT_TRUE(to_host(run.parameters().flat_weights()) == w[2]);
  EXPECT_TRUE(to_host(average) == a);
  std::copy(a.begin(), a.end(), run.parameters().flat_weights().data<float>());
  EXPECT_EQ(run->evaluate(0).loss, averaged);
}

TEST(Trainer, NonFiniteStepChangesNothing) {
  for (const float poison : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    SmallRun run(kMarkovRun, {"train.ema=0.5", "train.accumulate=2"});
    run->step();
    run.parameters().flat_weights().data<float>()[40] = poison;
    const auto before = tensors(*run);
    const StepResult r = run->step();
    EXPECT_FALSE(r.finite);
    EXPECT_EQ(r.step, 2);
    const auto after = tensors(*run);
    for (size_t i = 0; i < after.size(); ++i) {
      EXPECT_EQ(std::memcmp(after[i].data(), before[i].data(), 4 * after[i].size()), 0) << i;
    }
  }
}

// What speeds are of: work is done for all tokens, also for those whose targets do not count.
TEST(Trainer, CountsTheTokensThatItReads) {
  SmallRun run(
      "[model]\ndim = 16\nlayers = 1\nheads = 2\ncontext = 20\n[data]\nkind = 'recall'\n"
      "[train]\nbatch = 3\naccumulate = 2\n");
  EXPECT_EQ(run->step().tokens, 3 * 2 * 20);
}

TEST(Trainer, LossOfEachSource) {
  const TempDir dir;
  real_fs().write_file(dir / "same.txt", std::string(3000, 'a'));
  std::string other;
  for (int i = 0; other.size() < 3000; ++i) other += std::to_string(i * 7919);
  real_fs().write_file(dir / "digits.txt", other);
  const std::string toml =
      "[model]\ndim = 32\nlayers = 1\ncontext = 16\n[data]\nkind = \"text\"\nsplit = 0.1\n"
      "sources = [{path = \"" +
      (dir / "same.txt") + "\", weight = 0.5}, {path = \"" + (dir / "digits.txt") +
      "\", weight = 0.5}]\n[train]\nbatch = 4\n[optim]\nlr = 0.01\n";
  SmallRun run(toml);
  StepResult r;
  for (int i = 0; i < 40; ++i) r = run->step();
  ASSERT_EQ(r.source_loss.size(), 2u);
  EXPECT_LT(r.source_loss[0], 0.5);
  EXPECT_GT(r.source_loss[1], 1.0);
  EXPECT_NEAR((r.source_loss[0] + r.source_loss[1]) / 2, r.loss, 1e-12);  // two rows of each
  const EvalResult e = run->evaluate(0);
  ASSERT_EQ(e.source_loss.size(), 2u);
  EXPECT_LT(e.source_loss[0], e.source_loss[1]);
}

// Documents packed into one window, with the mask, cost what each costs alone.
TEST(Trainer, PackedDocumentsDoNotSeeEachOther) {
  for (const char* position : {"rope", "learned", "none"}) {
    SmallRun run(kMarkovRun, {std::string("model.position.kind=") + position,
                              "model.init.deviation=0.2", "model.attention.qk_norm.kind=rms"});
    const std::vector<int32_t> start = {0, 0, 0, 0, 0, 5, 5, 5, 5, 9, 9, 9};
    std::vector<int32_t> tokens(12);
    for (size_t i = 0; i < 12; ++i) tokens[i] = static_cast<int32_t>(i * 11 % 64);
    const auto logits = [&](size_t begin, size_t end, bool mask) {
      NoGrad off;
      Pass pass;
      const auto n = static_cast<int64_t>(end - begin);
      pass.tokens = from_host({1, n}, std::span<const int32_t>(tokens).subspan(begin, end - begin));
      if (mask) pass.segments = from_host({1, n}, std::span<const int32_t>(start));
      return run->model().logits(pass).t;
    };
    const Tensor packed = logits(0, 12, true), unmasked = logits(0, 12, false);
    for (const auto& [begin, end] : {std::pair<int64_t, int64_t>{0, 5}, {5, 9}, {9, 12}}) {
      const Tensor alone = logits(static_cast<size_t>(begin), static_cast<size_t>(end), false);
      EXPECT_LT(
          relative_error(from_host(alone.shape(), to_host(packed.slice(1, begin, end))), alone),
          1e-5)
          << position;
      if (begin == 0) continue;
      EXPECT_GT(
          relative_error(from_host(alone.shape(), to_host(unmasked.slice(1, begin, end))), alone),
          1e-3);
    }
  }
}

TEST(Trainer, DropoutOfZeroIsIdentityAndEvaluationHasNone) {
  SmallRun none(kMarkovRun), zero(kMarkovRun, {"model.dropout=0.0", "seed.dropout=5"}),
      some(kMarkovRun, {"model.dropout=0.2"});
  EXPECT_EQ(none->evaluate(0).loss, some->evaluate(0).loss);
  EXPECT_EQ(none->step().loss, zero->step().loss);
  EXPECT_TRUE(tensors(*none) == tensors(*zero));
  some->step();
  EXPECT_FALSE(tensors(*none) == tensors(*some));
}

}  // namespace
}  // namespace keel::test
