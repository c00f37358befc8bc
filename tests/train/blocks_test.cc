// Every norm, placement and residual scheme in a trainer: bits and threads, the plan's memory, the
// cache of generation.
#include <gtest/gtest.h>

#include <cmath>

#include "harness/check_op.h"
#include "models/variants.h"
#include "small_run.h"
#include "train/generate.h"

namespace keel::test {
namespace {

// Kinds of what stands around the branches of a block, and combinations of them.
std::vector<std::vector<std::string>> blocks() {
  std::vector<std::vector<std::string>> out;
  for (const std::string& k : norms().names()) {
    out.push_back({set("model.norm", k), "model.placement.kind=sandwich"});
    out.push_back({set("model.norm", k), "model.placement.kind=deepnorm"});
  }
  for (const std::string& k : placements().names()) {
    const std::string placement = "model.placement.kind=" + k;
    out.push_back({placement, "model.residual.kind=layer_scale", "model.biases.v=on"});
    out.push_back({placement, "model.residual.kind=rezero", "model.embedding_norm.kind=layer"});
  }
  return out;
}

TEST(EveryBlock, BitsDoNotDependOnThreads) {
  for (const auto& sets : blocks()) {
    for (const DType t : {DType::kF32, DType::kBf16}) {
      if (t == DType::kBf16 && !cpu_has_bf16()) continue;
      SmallRun one(kMarkovRun, sets, t), three(kMarkovRun, sets, t);
      for (const auto& [run, threads] : {std::pair(&one, 1), std::pair(&three, 3)}) {
        const Threads in_force(threads);
        for (int i = 0; i < 3; ++i) EXPECT_TRUE(std::isfinite((*run)->step().loss));
      }
      EXPECT_TRUE(same_bits(one.parameters().flat_weights(), three.parameters().flat_weights()))
          << testing::PrintToString(sets);
    }
  }
}

TEST(EveryBlock, TakesTheMemoryThatWasPlanned) {
  for (const auto& sets : blocks()) {
    SmallRun recorded(kMarkovRun, sets), adopted(kMarkovRun, sets);
    Trainer planned(recorded.config, nullptr, DeviceKind::kMeta, DType::kF32);
    planned.plan();
    adopted->adopt_layouts(planned);
    EXPECT_EQ(recorded->step().loss, adopted->step().loss);
    EXPECT_EQ(recorded->evaluate(0).loss, adopted->evaluate(0).loss);
    EXPECT_EQ(planned.memory().activations, recorded->memory().activations)
        << testing::PrintToString(sets);
    EXPECT_EQ(planned.memory().weights, recorded->memory().weights);
  }
}

TEST(EveryBlock, CachedLogitsEqualUncached) {
  const std::vector<int32_t> tokens{3, 1, 4, 1, 5, 9, 2, 6, 5};
  for (const auto& sets : blocks()) {
    SmallRun run(kMarkovRun, sets);
    for (int i = 0; i < 3; ++i) run->step();  // running statistics are there
    const Decoder& model = run->model();
    Continuation cached(model), whole(model);
    ASSERT_TRUE(whole.read(tokens));
    for (size_t i = 0; i < tokens.size(); ++i) cached.read(std::span(tokens).subspan(i, 1));
    double error = 0, size = 1;
    for (size_t i = 0; i < cached.logits().size(); ++i) {
      const double a = double(cached.logits()[i]), b = double(whole.logits()[i]);
      error = std::max(error, std::abs(a - b));
      size = std::max(size, std::abs(b));
    }
    EXPECT_LE(error, 1e-5 * size) << testing::PrintToString(sets);
  }
}

}  // namespace
}  // namespace keel::test
