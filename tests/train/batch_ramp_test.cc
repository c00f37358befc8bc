// A batch that grows: how many sequences each step takes, and that data, schedule and resume
// follow.
#include "train/batch_ramp.h"

#include <gtest/gtest.h>

#include "harness/check_op.h"
#include "harness/expect_error.h"
#include "io/temp_dir.h"
#include "save_trainer.h"
#include "small_run.h"

namespace keel::test {
namespace {

RunConfig config_of(const std::vector<std::string>& sets) {
  RunConfig c;
  load_config_text("test.toml", kMarkovRun, sets, c);
  return c;
}

// From 2 to 8 micro-batches of 3 sequences of 24 tokens, by 2, over 90 sequences: growth after 30,
// 60 and 90 of them.
const std::vector<std::string> kGrowing = {"train.accumulate=8", "train.batch_warmup.start=2",
                                           "train.batch_warmup.increment=2",
                                           "train.batch_warmup.tokens=2160"};

TEST(BatchRamp, GrowsAtEqualIntervals) {
  const BatchRamp ramp(config_of(kGrowing));
  int64_t sequences = 0;
  for (int64_t step = 0; step < 40; ++step) {
    EXPECT_EQ(ramp.sequences_before(step), sequences) << step;
    const int64_t micro = std::min<int64_t>(8, 2 + 2 * (sequences / 30));
    EXPECT_EQ(ramp.micro_batches(step), micro) << step;
    sequences += 3 * micro;
    EXPECT_NEAR(ramp.clock(step), double(sequences) / 24 - 1, 1e-12);
  }
}

TEST(BatchRamp, UnevenIncrementsAndShortStages) {
  // Each growth is shorter than a step: stages are passed over, the last increment is cut.
  const BatchRamp ramp(
      config_of({"train.accumulate=7", "train.batch_warmup.start=1",
                 "train.batch_warmup.increment=4", "train.batch_warmup.tokens=100"}));
  EXPECT_EQ(ramp.micro_batches(0), 1);
  EXPECT_EQ(ramp.micro_batches(1), 5);
  EXPECT_EQ(ramp.micro_batches(2), 7);
  EXPECT_EQ(ramp.sequences_before(3), 39);
}

TEST(BatchRamp, ThePlainRunCountsSteps) {
  for (const char* off : {"train.batch_warmup.start=0", "train.batch_warmup.start=4",
                          "train.batch_warmup.increment=0"}) {
    std::vector<std::string> sets = {"train.accumulate=4", "train.batch_warmup.start=2",
                                     "train.batch_warmup.tokens=1000", off};
    const RunConfig c = config_of(sets);
    const BatchRamp ramp(c);
    for (int64_t s = 0; s < 100; ++s) {
      EXPECT_EQ(ramp.micro_batches(s), 4);
      EXPECT_EQ(ramp.sequences_before(s), 12 * s);
      EXPECT_EQ(ramp.clock(s), double(s));
    }
    EXPECT_EQ(c.full_steps(), c.train.steps);
  }
}

TEST(BatchRamp, WithoutAnIncrementItIsThePlainRunBitForBit) {
  SmallRun plain(kMarkovRun, {"train.accumulate=3"}),
      same(kMarkovRun, {"train.accumulate=3", "train.batch_warmup.start=1",
                        "train.batch_warmup.increment=0", "train.batch_warmup.tokens=500"});
  for (int i = 0; i < 4; ++i) EXPECT_EQ(plain->step().loss, same->step().loss);
  EXPECT_TRUE(same_bits(plain.parameters().flat_weights(), same.parameters().flat_weights()));
}

// A step of a growing run is what a run of that batch does with the same sequences.
TEST(BatchRamp, StepsAreThoseOfTheirSize) {
  SmallRun growing(kMarkovRun, kGrowing), two(kMarkovRun, {"train.accumulate=2"});
  const StepResult a = growing->step(), b = two->step();
  EXPECT_EQ(a.loss, b.loss);
  EXPECT_EQ(a.grad_norm, b.grad_norm);
  EXPECT_EQ(a.tokens, 2 * 3 * 24);
  // Warm-up over 4 full batches: 6 of its 96 sequences were seen.
  EXPECT_NEAR(a.rate, 0.01 * 6 / 96, 1e-9);
  int64_t tokens = a.tokens;
  for (int i = 1; i < 12; ++i) tokens += growing->step().tokens;
  EXPECT_EQ(tokens, growing->sequences_in(12) * 24);
}

// The rate after a number of tokens is that of the plain run.
TEST(BatchRamp, TheScheduleDoesNotStretch) {
  const RunConfig c = config_of([] {
    std::vector<std::string> s = kGrowing;
    s.push_back("train.steps=40");
    return s;
  }());
  const auto schedule = make_schedule(c.schedule, c.full_steps());
  const BatchRamp ramp(c);
  EXPECT_LT(c.full_steps(), 40);
  for (int64_t step = 0; step < 40; ++step) {
    const int64_t seen = ramp.sequences_before(step + 1);
    if (seen % 24 == 0) {
      EXPECT_EQ(schedule->factor(ramp.clock(step)), schedule->factor(double(seen / 24 - 1)));
    }
  }
  EXPECT_NEAR(schedule->factor(ramp.clock(39)), 0.1, 0.02);
}

TEST(BatchRamp, ResumesInTheMiddleOfIt) {
  const TempDir dir;
  SmallRun unbroken(kMarkovRun, kGrowing), resumed(kMarkovRun, kGrowing);
  for (int i = 0; i < 6; ++i) unbroken->step();
  load_trainer(load_checkpoint(save_trainer(real_fs(), dir.path(), *unbroken, {}, "")), *resumed);
  for (int i = 6; i < 14; ++i) {
    const StepResult a = unbroken->step(), b = resumed->step();
    EXPECT_EQ(a.loss, b.loss);
    EXPECT_EQ(a.rate, b.rate);
    EXPECT_EQ(a.tokens, b.tokens);
  }
  EXPECT_TRUE(same_bits(unbroken.parameters().flat_weights(), resumed.parameters().flat_weights()));
}

TEST(BatchRamp, Errors) {
  expect_error<ConfigError>("--set: train.batch_warmup.start: 5 is more than train.accumulate = 4",
                            [] {
                              config_of({"train.accumulate=4", "train.batch_warmup.start=5"});
                            });
  expect_error<
      ConfigError>("--set: train.batch_warmup.tokens: must be set where batch_warmup.start is", [] {
    config_of({"train.accumulate=4", "train.batch_warmup.start=2", "train.batch_warmup.tokens=0"});
  });
}

}  // namespace
}  // namespace keel::test
