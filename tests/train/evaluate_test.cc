#include "train/evaluate.h"

#include <gtest/gtest.h>

#include <cmath>

#include "small_run.h"

namespace keel::test {
namespace {

TEST(Evaluator, RowLossesAreThoseOfTheTrainingStep) {
  const SmallRun run(kMarkovRun);
  const auto task = tasks().make(run.config.task);
  Arena arena(DeviceKind::kCpu);
  BatchTensors inputs(run.config.train.batch, run.config.model.context, DeviceKind::kCpu);
  Evaluator evaluator(run->model(), *task, arena, inputs);
  Batch batch;
  run.data->train_batch(0, run.config.train.batch, batch);
  const std::vector<double> rows = evaluator.row_losses(batch);
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_NE(rows[0], rows[1]);
  EXPECT_NEAR((rows[0] + rows[1] + rows[2]) / 3, run->step().loss, 1e-6);
}

TEST(Evaluator, ARowWithoutTargetsHasNoLoss) {
  const SmallRun run(kMarkovRun);
  const auto task = tasks().make(run.config.task);
  Arena arena(DeviceKind::kCpu);
  BatchTensors inputs(run.config.train.batch, run.config.model.context, DeviceKind::kCpu);
  Evaluator evaluator(run->model(), *task, arena, inputs);
  Batch batch;
  run.data->train_batch(0, run.config.train.batch, batch);
  const std::vector<double> before = evaluator.row_losses(batch);
  std::fill_n(batch.weights.begin() + batch.length, batch.length, 0.0f);
  std::fill_n(batch.weights.begin(), batch.length / 2, 0.0f);
  const std::vector<double> after = evaluator.row_losses(batch);
  EXPECT_NE(after[0], before[0]);
  EXPECT_TRUE(std::isnan(after[1]));
  EXPECT_EQ(after[2], before[2]);
}

TEST(Evaluator, AloneItAgreesWithTheTrainer) {
  const SmallRun run(kMarkovRun);
  const auto task = tasks().make(run.config.task);
  Arena arena(DeviceKind::kCpu);
  // Other rows in a batch: the sums do not depend on how windows are grouped.
  BatchTensors inputs(5, run.config.model.context, DeviceKind::kCpu);
  Evaluator evaluator(run->model(), *task, arena, inputs);
  const EvalResult alone = evaluator.evaluate(*run.data, 0);
  EXPECT_EQ(alone.tokens, run.data->eval_tokens());
  EXPECT_NEAR(alone.loss, run->evaluate(0).loss, 1e-6);
  EXPECT_LT(evaluator.evaluate(*run.data, 1).tokens, alone.tokens);
}

TEST(SourceLosses, MeansBySourceOverTheTargetsThatCount) {
  Batch batch;
  batch.rows = 3;
  batch.length = 2;
  batch.weights = {1, 1, 0, 1, 1, 1};
  batch.source = {0, 2, 0};
  const std::vector<float> losses = {1, 2, 100, 5, 3, 4};
  SourceLosses sums(3);
  sums.add(batch, losses);
  EXPECT_EQ(sums.mean(), 3.0);
  EXPECT_EQ(sums.tokens(), 5);
  EXPECT_EQ(sums.means()[0], 2.5);
  EXPECT_TRUE(std::isnan(sums.means()[1]));
  EXPECT_EQ(sums.means()[2], 5.0);
  sums.clear();
  EXPECT_EQ(sums.tokens(), 0);
}

}  // namespace
}  // namespace keel::test
