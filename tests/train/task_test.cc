// What the task adds to the training loss, and what it does not touch.
#include <gtest/gtest.h>

#include <cmath>

#include "small_run.h"

namespace keel::test {
namespace {

struct First {
  double loss, grad_norm, eval;
};

First first_step(const std::vector<std::string>& sets) {
  SmallRun run(kMarkovRun, sets);
  const double eval = run->evaluate(0).loss;
  const StepResult r = run->step();
  return {r.loss, r.grad_norm, eval};
}

// Terms of the training loss change its gradient, not the loss that is reported. (Entropy is almost
// level where a model starts, with almost equal weights: its term needs a large factor to show.)
TEST(CausalLm, ReportedLossesAreTheCrossEntropy) {
  const First plain = first_step({});
  for (const char* set : {"task.z_loss=0.1", "task.label_smoothing=0.3",
                          "model.attention={entropy_weight=1e4, entropy_floor=1}"}) {
    const First more = first_step({set});
    EXPECT_NEAR(more.loss, plain.loss, 1e-6) << set;
    EXPECT_EQ(more.eval, plain.eval) << set;
    EXPECT_GT(std::abs(more.grad_norm - plain.grad_norm), 1e-3 * plain.grad_norm) << set;
  }
}

TEST(CausalLm, SoftcapIsThereInEvaluationToo) {
  const First plain = first_step({}), capped = first_step({"model.head.softcap=0.01"});
  EXPECT_NE(capped.eval, plain.eval);
  EXPECT_NEAR(capped.eval, std::log(64.0), 0.02);  // of 64 tokens, hardly told apart
}

TEST(CausalLm, Ranges) {
  try {
    SmallRun run(kMarkovRun, {"task.z_loss=-1", "task.label_smoothing=1"});
    FAIL();
  } catch (const ConfigError& e) {
    EXPECT_STREQ(e.what(),
                 "--set: task.z_loss: must be at least 0, is -1.0\n"
                 "--set: task.label_smoothing: must be at least 0 and below 1, is 1.0");
  }
}

}  // namespace
}  // namespace keel::test
