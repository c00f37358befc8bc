#include "entropy_floor.h"

namespace keel::test {
namespace {

std::vector<std::string> sized(const std::string& kind, int steps) {
  return {"data.kind=" + kind,
          "model.dim=128",
          "model.layers=3",
          "model.heads=4",
          "model.context=64",
          "train.batch=32",
          "optim.lr=0.004",
          "optim.weight_decay=0.1",
          "schedule.warmup=100",
          "schedule.final=0",
          "train.steps=" + std::to_string(steps)};
}

TEST(EntropyFloorLong, MarkovChainOfOrderTwo) { expect_reaches_floor(sized("markov", 6000), 0.02); }

TEST(EntropyFloorLong, Grammar) { expect_reaches_floor(sized("grammar", 4000), 0.02); }

}  // namespace
}  // namespace keel::test
