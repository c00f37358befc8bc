#include "entropy_floor.h"

namespace keel::test {
namespace {

TEST(EntropyFloor, SmallMarkovChainIsLearned) {
  expect_reaches_floor(
      {"data.kind=markov", "data.successors=4", "data.classes=2", "model.dim=64", "model.layers=2",
       "model.heads=2", "model.context=32", "train.batch=32", "train.steps=1000", "optim.lr=0.01",
       "optim.weight_decay=0", "schedule.warmup=50", "schedule.final=0"},
      0.02);
}

}  // namespace
}  // namespace keel::test
