// The same config, build and instruction set give the same bits: whatever the number of threads,
// and however a global batch is cut into micro-batches.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmath>

#include "harness/check_op.h"
#include "small_run.h"

namespace keel::test {
namespace {

struct Trained {
  std::vector<double> losses, norms;
  std::vector<std::vector<float>> gradients, weights;  // of each step
  bool operator==(const Trained&) const = default;
};

Trained train(const std::vector<std::string>& sets, DType compute, int threads, int64_t steps) {
  const Threads in_force(threads);
  SmallRun run(kMarkovRun, sets, compute);
  Trained out;
  for (int64_t i = 0; i < steps; ++i) {
    const StepResult r = run->step();
    out.losses.push_back(r.loss);
    out.norms.push_back(r.grad_norm);
    out.gradients.push_back(to_host(run.parameters().flat_grads()));
    out.weights.push_back(to_host(run.parameters().flat_weights()));
  }
  return out;
}

void expect_same_with_any_threads(const std::vector<std::string>& sets, DType compute,
                                  std::initializer_list<int> threads, int64_t steps) {
  const Trained one = train(sets, compute, 1, steps);
  EXPECT_TRUE(std::isfinite(one.losses.back()));
  for (const int n : threads) {
    const Trained more = train(sets, compute, n, steps);
    EXPECT_EQ(more.losses, one.losses) << n << " threads, " << name_of(compute);
    EXPECT_EQ(more.norms, one.norms) << n << " threads, " << name_of(compute);
    EXPECT_TRUE(more.gradients == one.gradients) << n << " threads, " << name_of(compute);
    EXPECT_TRUE(more.weights == one.weights) << n << " threads, " << name_of(compute);
  }
}

using Bits = InDType;
INSTANTIATE_TEST_SUITE_P(Train, Bits, kDTypes, dtype_suffix);

TEST_P(Bits, TwentyStepsWithOneToEightThreads) {
  expect_same_with_any_threads({"model.dropout=0.1", "train.accumulate=3", "train.ema=0.9"},
                               GetParam(), {2, 3, 4, 5, 6, 7, 8}, 20);
}

// Weight gradients of 8 to 64 rows and columns, summed over 16,384 tokens.
TEST_P(Bits, LongSumsWithAnyNumberOfThreads) {
  expect_same_with_any_threads(
      {"model.dim=16", "model.layers=1", "model.heads=2", "model.kv_heads=1", "model.context=128",
       "train.batch=128", "model.bias=true", "model.norm.kind=layer"},
      GetParam(), {2, 3, 8}, 2);
}

TEST_P(Bits, ProductsOfSmallOutputAndLongSum) {
  const DType t = GetParam();
  for (const int64_t k : {1000, 4096, 16384}) {
    for (const int64_t m : {8, 48, 257}) {
      const Tensor a = normal_tensor({k, m}, 1, 1, 0, t), b = normal_tensor({k, 40}, 2, 1, 0, t);
      const auto product = [&](int threads) {
        const Threads in_force(threads);
        const Tensor c = empty({m, 40});
        gemm(cpu(), {.a = a, .b = b, .c = c, .a_transposed = true, .bias = {}});
        return c;
      };
      const Tensor one = product(1);
      for (const int n : {2, 5, 8}) {
        EXPECT_TRUE(same_bits(product(n), one)) << m << " x 40, " << k << ", " << n << " threads";
      }
    }
  }
}

// This program again, with less of the instruction set for oneDNN.
TEST(BitsUnderAvx2, SameAsAbove) {
  char self[4096] = {};
  ASSERT_GT(readlink("/proc/self/exe", self, sizeof self - 1), 0);
  const std::string command = "ONEDNN_MAX_CPU_ISA=AVX2 '" + std::string(self) +
                              "' --gtest_filter='Train/Bits.*LongSum*:Train/Bits.Twenty*:"
                              "BitsUnderAvx2.Checks*:Plan.DtypeInForce' > /dev/null 2>&1";
  EXPECT_EQ(system(command.c_str()), 0) << command;
}

// What the variable allows, and with it the refusal of bf16, holds in the process that was started.
TEST(BitsUnderAvx2, ChecksTheVariable) {
  const char* isa = getenv("ONEDNN_MAX_CPU_ISA");
  if (isa && std::string_view(isa) == "AVX2") {
    EXPECT_FALSE(cpu_has_bf16());
  }
}

// Micro-batches are summed as a binary tree over their number.
TEST_P(Bits, GradientOfFourMicroBatchesIsTheirTree) {
  SmallRun run(kMarkovRun, {"train.accumulate=4", "model.dropout=0.2"}, GetParam());
  std::vector<std::vector<float>> g;
  double loss = 0;
  for (int64_t i = 0; i < 4; ++i) {
    loss += run->gradient_of(i);
    g.push_back(to_host(run.parameters().flat_grads()));
  }
  const StepResult r = run->step();
  EXPECT_NEAR(r.loss, loss / static_cast<double>(r.tokens), 1e-9);
  const std::vector<float> whole = to_host(run.parameters().flat_grads());
  std::vector<float> tree(whole.size());
  for (size_t i = 0; i < tree.size(); ++i) tree[i] = (g[0][i] + g[1][i]) + (g[2][i] + g[3][i]);
  EXPECT_TRUE(whole == tree);
  EXPECT_FALSE(g[0] == g[1]);
}

// A tensor that two models share starts the same in both, and a batch does not know the model.
TEST(Seeds, ModelsThatShareATensorStartEqualInIt) {
  SmallRun a(kMarkovRun), b(kMarkovRun, {"model.norm.kind=layer", "model.ffn.kind=relu",
                                         "model.position.kind=learned", "model.tied=false"});
  int shared = 0;
  for (const Parameter& p : a.parameters().list()) {
    for (const Parameter& q : b.parameters().list()) {
      if (p.name != q.name || p.shape != q.shape) continue;
      EXPECT_TRUE(same_bits(p.weight, q.weight)) << p.name;
      ++shared;
    }
  }
  EXPECT_EQ(shared, 1 + 2 * (4 + 2) + 1);  // table; q k v out and two gains a block; final gain
  Batch of_a, of_b;
  for (const int64_t first : {0, 51}) {
    a.data->train_batch(first, 3, of_a);
    b.data->train_batch(first, 3, of_b);
    EXPECT_EQ(of_a.inputs, of_b.inputs);
    EXPECT_EQ(of_a.targets, of_b.targets);
  }
}

TEST(Seeds, AreSetTogetherAndApart) {
  const auto first_step = [](const std::vector<std::string>& sets) {
    return train(sets, DType::kF32, 1, 1);
  };
  const std::vector<std::string> base = {"model.dropout=0.3"};
  const auto with = [&](std::vector<std::string> more) {
    more.push_back(base[0]);
    return first_step(more);
  };
  const Trained zero = with({});
  EXPECT_TRUE(with({"train.seed=0"}) == zero);
  for (const char* set : {"train.seed=1", "seed.init=1", "seed.data=1", "seed.dropout=1"}) {
    EXPECT_FALSE(with({set}).gradients == zero.gradients) << set;
  }
  EXPECT_TRUE(with({"train.seed=1", "seed.init=0", "seed.data=0", "seed.dropout=0"}) == zero);
}

}  // namespace
}  // namespace keel::test
