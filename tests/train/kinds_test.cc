// What the trainer promises holds with every optimizer and every clip.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "harness/check_op.h"
#include "small_run.h"
#include "train/plan.h"

namespace keel::test {
namespace {

std::vector<std::string> update_kinds() {
  std::vector<std::string> out;
  for (const std::string& k : optimizers().names()) out.push_back("optim.kind=" + k);
  for (const std::string& k : clips().names()) out.push_back("clip.kind=" + k);
  return out;
}

std::vector<std::vector<float>> tensors(Trainer& t) {
  std::vector<std::vector<float>> out = {to_host(t.model().parameters().flat_weights())};
  for (const StateTensor& s : t.state()) out.push_back(to_host(s.tensor));
  return out;
}

class EveryUpdate : public testing::TestWithParam<std::string> {};

// Matrices of more than one part, so that sums over parts matter.
TEST_P(EveryUpdate, SameBitsWithAnyNumberOfThreads) {
  const std::vector<std::string> sets = {GetParam(),        "model.dim=96",
                                         "model.layers=1",  "data.symbols=64",
                                         "model.vocab=700", "optim.groups.embedding.rate=0.5"};
  const auto train = [&](int threads) {
    const Threads in_force(threads);
    SmallRun run(kMarkovRun, sets);
    for (int i = 0; i < 3; ++i) run->step();
    return tensors(*run);
  };
  const auto one = train(1);
  for (const int threads : {2, 5}) EXPECT_TRUE(train(threads) == one) << threads;
}

TEST_P(EveryUpdate, NonFiniteStepChangesNothing) {
  SmallRun run(kMarkovRun, {GetParam()});
  for (int i = 0; i < 2; ++i) run->step();
  run.parameters().flat_weights().data<float>()[40] = std::numeric_limits<float>::infinity();
  const auto before = tensors(*run);
  EXPECT_FALSE(run->step().finite);
  EXPECT_TRUE(tensors(*run) == before);
}

TEST_P(EveryUpdate, LearnsInBothDTypes) {
  for (const DType t : {DType::kF32, DType::kBf16}) {
    if (t == DType::kBf16 && !cpu_has_bf16()) continue;
    SmallRun run(kMarkovRun,
                 {GetParam(), "data.successors=2", "data.symbols=16", "data.order=1",
                  "train.steps=60", "train.batch=6"},
                 t);
    const double before = run->evaluate(0).loss;
    for (int i = 0; i < 60; ++i) run->step();
    EXPECT_LT(run->evaluate(0).loss, before - 0.3) << name_of(t);
  }
}

// The plan knows of the state, and of memory that is not state.
TEST_P(EveryUpdate, PlanIsRight) {
  SmallRun run(kMarkovRun, {GetParam()});
  run.config.model.vocab = run.data->vocab();
  const Plan plan = make_plan(run.config, DType::kF32);
  run->step();
  const MemoryUse used = run->memory();
  EXPECT_EQ(plan.bytes.optimizer, used.optimizer);
  EXPECT_EQ(plan.bytes.weights, used.weights);
  EXPECT_EQ(plan.bytes.gradients, used.gradients);
}

INSTANTIATE_TEST_SUITE_P(All, EveryUpdate, testing::ValuesIn(update_kinds()), [](const auto& kind) {
  std::string name = kind.param;
  for (char& c : name) c = c == '.' || c == '=' ? '_' : c;
  return name;
});

// A group whose rate is 0 stays; decay by group takes what it says off.
TEST(Groups, RatesByWhatAParameterIsFor) {
  const std::vector<std::string> names = {"embedding", "head", "matrix", "vector"};
  for (const std::string& still : names) {
    SmallRun run(kMarkovRun, {"model.tied=false", "model.position.kind=learned", "model.bias=true",
                              "optim.groups." + still + ".rate=0"});
    std::vector<std::vector<float>> before;
    for (const Parameter& p : run.parameters().list()) before.push_back(to_host(p.weight));
    run->step();
    run->step();
    size_t i = 0;
    for (const Parameter& p : run.parameters().list()) {
      const bool table = p.name == "embedding.weight" || p.name == "positions.weight";
      const std::string group = table                     ? "embedding"
                                : p.name == "head.weight" ? "head"
                                : p.shape.axes() == 2     ? "matrix"
                                                          : "vector";
      EXPECT_EQ(to_host(p.weight) == before[i++], group == still) << p.name << ", " << still;
    }
  }
}

TEST(Groups, DecayByWhatAParameterIsFor) {
  SmallRun plain(kMarkovRun),
      more(kMarkovRun, {"optim.groups.vector.decay=3", "optim.groups.embedding.decay=0"});
  std::vector<std::vector<float>> start;
  for (const Parameter& p : plain.parameters().list()) start.push_back(to_host(p.weight));
  plain->step();
  more->step();
  const double off = 0.01 / 4 * 0.1;  // rate in the first step of the warm-up, times weight_decay
  for (size_t k = 0; k < start.size(); ++k) {
    const Parameter &a = plain.parameters().list()[k], &b = more.parameters().list()[k];
    const auto x = to_host(a.weight), y = to_host(b.weight);
    const double by = a.name == "embedding.weight" ? -1 : a.shape.axes() == 1 ? 3 : 0;
    for (size_t i = 0; i < x.size(); ++i) {
      EXPECT_NEAR(double(x[i]) - double(y[i]), by * off * double(start[k][i]), 3e-7) << a.name;
    }
  }
}

}  // namespace
}  // namespace keel::test
