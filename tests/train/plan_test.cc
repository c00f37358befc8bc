#include "train/plan.h"

#include <gtest/gtest.h>

#include <cmath>

#include "harness/check_op.h"
#include "harness/expect_error.h"
#include "plan_check.h"
#include "small_run.h"

namespace keel::test {
namespace {

using Planned = InDType;
INSTANTIATE_TEST_SUITE_P(Train, Planned, kDTypes, dtype_suffix);

// The layout found by computing nothing is the layout of real steps, byte for byte.
TEST_P(Planned, MemoryIsThatOfRealSteps) {
  const std::vector<std::vector<std::string>> runs = {
      {},
      {"optim.qk_clip.tau=100", "train.accumulate=4", "train.batch_warmup.start=1",
       "train.batch_warmup.tokens=1000"},
      {"model.dropout=0.1", "model.placement.kind=post", "model.ffn.kind=gelu", "train.ema=0.9"},
      {"model.tied=false", "model.kv_heads=1", "model.attention.qk_norm.kind=rms",
       "train.accumulate=3", "model.bias=true", "model.norm.kind=layer",
       "model.position.kind=learned", "model.context=130", "train.batch=2"}};
  for (const std::vector<std::string>& sets : runs) {
    const int64_t before = heap_bytes_alive();
    SmallRun run(kMarkovRun, sets, GetParam());
    const int64_t taken = heap_bytes_alive() - before;
    const Plan plan = make_plan(run.config, GetParam());
    run->step();
    run->evaluate(0);
    SCOPED_TRACE(testing::PrintToString(sets));
    expect_planned(plan, *run, taken);
    EXPECT_EQ(plan.total_bytes(),
              taken + plan.copy_bytes + run->memory().activations + plan.working_bytes);
    EXPECT_EQ(heap_bytes_alive() - before, taken);  // steps and evaluations leave nothing behind
  }
}

TEST_P(Planned, LayoutCanBeTakenOver) {
  SmallRun recorded(kMarkovRun, {}, GetParam()), taken(kMarkovRun, {}, GetParam());
  Trainer meta(taken.config, nullptr, DeviceKind::kMeta, GetParam());
  meta.plan();
  taken->adopt_layouts(meta);
  const int64_t before = taken->memory().activations;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(taken->step().loss, recorded->step().loss);
  EXPECT_EQ(taken->memory().activations, before);
}

TEST(Plan, CountsParametersAndFlops) {
  SmallRun run(kMarkovRun, {"model.tied=false", "model.ffn.kind=gelu"});
  const Plan plan = make_plan(run.config, DType::kF32);
  const int64_t block = 4 * 32 * 32 + 2 * 32 * 128, matrices = 2 * block + 64 * 32;
  EXPECT_EQ(plan.parameters, matrices + 64 * 32 + 5 * 32);
  EXPECT_EQ(plan.ffn_parameters, 2 * 2 * 32 * 128);
  EXPECT_EQ(plan.plain_ffn_parameters, plan.ffn_parameters);
  // Six for each weight of a product, and attention's: between half of all pairs and all of them,
  // with scores made again in backward.
  EXPECT_GE(plan.flops_per_token, 6 * matrices + 2 * 6 * 32 * 24);
  EXPECT_LE(plan.flops_per_token, 6 * matrices + 2 * 16 * 32 * 24);
}

// Five iterations of x x^T, its square, and the product with x; in each of two layers of four
// square matrices and of two that are four times as long.
TEST(Plan, CountsTheProductsOfMuon) {
  const auto update = [](const std::vector<std::string>& sets) {
    return make_plan(SmallRun(kMarkovRun, sets).config, DType::kF32).update_flops;
  };
  EXPECT_EQ(update({}), 0);
  constexpr int64_t kCube = 32 * 32 * 32;
  EXPECT_EQ(update({"optim.kind=muon", "model.ffn.kind=gelu"}),
            2 * 5 * (4 * (4 + 2) * kCube + 2 * (4 * 4 + 2) * kCube));
}

TEST(Plan, NeedsAVocabulary) {
  RunConfig c;
  c.data.reader.select("shards");
  EXPECT_THROW(make_plan(c, DType::kF32), ConfigError);
}

TEST(Plan, MoreThanTheMachineHasIsRefusedWithTheNumbers) {
  Plan p;
  p.bytes = {3 << 20, 5 << 20, 7 << 20, 11 << 20};
  p.other_bytes = 1 << 20;
  p.working_bytes = 1 << 20;
  EXPECT_NO_THROW(check_memory(p, 28 << 20));
  EXPECT_NO_THROW(check_memory(p, 0));
  expect_error<MemoryError>(
      "the run needs 28 MiB and 27 MiB are available: weights 3, gradients 5, optimizer 7, "
      "activations 11, copy for checkpoints 0, working memory 2; a smaller train.batch (with "
      "train.accumulate), model.context or model.dim needs less",
      [&] { check_memory(p, 27 << 20); });
  p.copy_bytes = 6 << 20;
  EXPECT_NO_THROW(check_memory(p, 34 << 20));
  expect_error<MemoryError>(
      "the run needs 34 MiB and 28 MiB are available: weights 3, gradients 5, optimizer 7, "
      "activations 11, copy for checkpoints 6, working memory 2; a smaller train.batch (with "
      "train.accumulate), model.context or model.dim needs less, so does checkpoint.async = false",
      [&] { check_memory(p, 28 << 20); });
}

TEST(Plan, DtypeInForce) {
  RunConfig c;
  std::string reason;
  EXPECT_EQ(resolve_dtype(c, reason), DType::kF32);
  EXPECT_EQ(reason, "");
  c.train.dtype = "bf16";
  if (cpu_has_bf16()) {
    EXPECT_EQ(resolve_dtype(c, reason), DType::kBf16);
  } else {
    expect_error<DeviceError>(
        "train.dtype: bf16 products need AVX512-BF16 or AMX, oneDNN may use " + onednn_isa() +
            " here; set train.dtype = \"f32\"",
        [&] { resolve_dtype(c, reason); });
  }
  c.train.dtype = "auto";
  c.train.batch = 2;
  const DType found = resolve_dtype(c, reason);
  EXPECT_EQ(reason.substr(0, reason.find(':')), name_of(found));
  if (!cpu_has_bf16()) {
    EXPECT_EQ(reason, "f32: no bf16 products here (" + onednn_isa() + ")");
  }
}

TEST(Plan, DeviceInForce) {
  RunConfig c;
  EXPECT_EQ(resolve_device(c), DeviceKind::kCpu);
  c.train.device = "cuda";
  if (kHasCuda) GTEST_SKIP() << "this program has CUDA";
  EXPECT_THROW(resolve_device(c), DeviceError);
}

// One layer without positions, whose scores are easily made again.
TEST(Probes, LargestLogitAndEntropyOfEachHead) {
  constexpr size_t kDim = 32, kHeads = 4, kHead = 8, kTime = 24, kRows = 3;
  SmallRun run(kMarkovRun, {"model.layers=1", "model.position.kind=none", "log.probes=1",
                            "model.init.deviation=0.5"});
  Batch batch;
  run.data->train_batch(0, kRows, batch);
  const std::vector<float> table = to_host(parameter(run.parameters(), "embedding.weight").weight);
  const std::vector<float> wq =
      to_host(parameter(run.parameters(), "blocks.0.attention.q.weight").weight);
  const std::vector<float> wk =
      to_host(parameter(run.parameters(), "blocks.0.attention.k.weight").weight);
  run->step();
  ASSERT_TRUE(run->probed());
  const auto projected = [&](const std::vector<float>& w, size_t at) {
    const float* x = &table[static_cast<size_t>(batch.inputs[at]) * kDim];
    double square = 1e-5;
    for (size_t i = 0; i < kDim; ++i) square += double(x[i]) * double(x[i]) / kDim;
    std::vector<double> y(kDim);
    for (size_t o = 0; o < kDim; ++o) {
      for (size_t i = 0; i < kDim; ++i) {
        y[o] += double(w[o * kDim + i]) * double(x[i]) / std::sqrt(square);
      }
    }
    return y;
  };
  std::vector<double> largest(kHeads), entropy(kHeads);
  for (size_t row = 0; row < kRows; ++row) {
    for (size_t t = 0; t < kTime; ++t) {
      const std::vector<double> q = projected(wq, row * kTime + t);
      std::vector<std::vector<double>> scores(kHeads);
      for (size_t s = 0; s <= t; ++s) {
        const std::vector<double> k = projected(wk, row * kTime + s);
        for (size_t h = 0; h < kHeads; ++h) {
          double dot = 0;
          for (size_t i = h * kHead; i < (h + 1) * kHead; ++i) dot += q[i] * k[i];
          scores[h].push_back(dot / std::sqrt(double(kHead)));
          largest[h] = std::max(largest[h], std::abs(scores[h].back()));
        }
      }
      for (size_t h = 0; h < kHeads; ++h) {
        double z = 0, mean = 0;
        for (const double s : scores[h]) z += std::exp(s);
        for (const double s : scores[h]) mean += std::exp(s) / z * s;
        entropy[h] += (std::log(z) - mean) / double(kRows * kTime);
      }
    }
  }
  const AttentionProbe& probe = run->probes().attention[0];
  for (size_t h = 0; h < kHeads; ++h) {
    EXPECT_NEAR(probe.logit_max[h], largest[h], 1e-4 * largest[h]) << h;
    EXPECT_NEAR(probe.entropy[h], entropy[h], 1e-4 * entropy[h] + 1e-5) << h;
  }
}

TEST_P(Planned, ProbesLeaveTheBitsAlone) {
  SmallRun off(kMarkovRun, {"log.probes=0"}, GetParam()),
      on(kMarkovRun, {"log.probes=2"}, GetParam());
  for (int i = 1; i <= 6; ++i) {
    EXPECT_EQ(off->step().loss, on->step().loss);
    EXPECT_FALSE(off->probed());
    EXPECT_EQ(on->probed(), i % 2 == 0);
  }
  EXPECT_TRUE(same_bits(off.parameters().flat_weights(), on.parameters().flat_weights()));
}

}  // namespace
}  // namespace keel::test
