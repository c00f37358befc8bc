// Where the moving average of the weights begins.
#include <gtest/gtest.h>

#include "harness/check_op.h"
#include "small_run.h"

namespace keel::test {
namespace {

// As `train.init` does: the average begins at the weights that were given, not at those that the
// model was made with.
TEST(Average, BeginsAtTheWeightsThatWereGiven) {
  SmallRun run(kMarkovRun, {"train.ema=0.5", "optim.lr=0.001"});
  const Tensor& w = run.parameters().flat_weights();
  for (int64_t i = 0; i < w.size(); ++i) w.data<float>()[i] *= 2;
  run.parameters().refresh_copies();
  const std::vector<float> given = to_host(w);
  EXPECT_EQ(run->evaluate(0, true).loss, run->evaluate(0).loss);
  run->step();
  const std::vector<float> after = to_host(w), average = to_host(run->state().back().tensor);
  for (size_t i = 0; i < given.size(); ++i) {
    ASSERT_EQ(average[i], 0.5f * given[i] + 0.5f * after[i]) << i;
  }
}

}  // namespace
}  // namespace keel::test
