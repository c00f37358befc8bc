// QK-clip: after it the largest logit of a head that was above tau is tau, on the same inputs.
#include "optim/qk_clip.h"

#include <gtest/gtest.h>

#include <cmath>

#include "harness/check_op.h"
#include "harness/expect_error.h"
#include "small_run.h"

namespace keel::test {
namespace {

// Weights so large that logits matter, and a rate of almost 0: what is left is the clip.
std::vector<std::string> still(std::vector<std::string> more) {
  more.insert(more.end(), {"model.init.deviation=0.4", "optim.lr=1e-30", "optim.weight_decay=0",
                           "log.probes=1"});
  return more;
}

std::vector<std::vector<float>> logits_of(Trainer& t) {
  t.step();
  std::vector<std::vector<float>> out;
  for (const AttentionProbe& p : t.probes().attention) out.push_back(p.logit_max);
  return out;
}

void set_biases(const SmallRun& run) {
  for (const Parameter& p : run.parameters().list()) {
    if (p.role == keel::Role::kBias) {
      std::fill_n(p.weight.data<float>(), p.weight.size(), 0.3f);
    }
  }
}

using QkClipIn = InDType;
INSTANTIATE_TEST_SUITE_P(Train, QkClipIn, kDTypes, dtype_suffix);

// One layer, as what clips a layer changes the inputs of the next.
TEST_P(QkClipIn, RecomputedLogitsAreTau) {
  for (const char* kv : {"model.kv_heads=4", "model.kv_heads=2", "model.kv_heads=1"}) {
    for (const char* bias : {"model.bias=false", "model.bias=true"}) {
      SCOPED_TRACE(std::string(kv) + " " + bias);
      const std::vector<std::string> sets = {kv, bias, "model.layers=1"};
      SmallRun run(kMarkovRun, still(sets), GetParam());
      set_biases(run);
      const auto before = logits_of(*run)[0];
      const float largest = *std::max_element(before.begin(), before.end());
      const float least = *std::min_element(before.begin(), before.end());
      const double tau = 0.5 * double(least + largest);
      std::vector<std::string> on = sets;
      on.push_back("optim.qk_clip.tau=" + std::to_string(tau));
      SmallRun clipped(kMarkovRun, still(on), GetParam());
      set_biases(clipped);
      EXPECT_EQ(logits_of(*clipped)[0], before);  // recorded before the clip
      clipped->restored(0);                       // the same batch again
      const auto after = logits_of(*clipped)[0];
      const size_t group = before.size() / size_t(clipped.config.model.kv_heads_in_force());
      const double error = GetParam() == DType::kF32 ? 1e-5 : 1e-2;
      for (size_t h = 0; h < before.size(); ++h) {
        double most = 0;
        for (size_t g = h / group * group; g < (h / group + 1) * group; ++g) {
          most = std::max(most, double(before[g]));
        }
        const double expected = most > tau ? double(before[h]) * tau / most : double(before[h]);
        EXPECT_NEAR(after[h], expected, error * expected) << "head " << h;
      }
    }
  }
}

TEST(QkClip, TakesTheLargestOfTheMicroBatches) {
  const std::vector<std::string> one = {"model.layers=1", "train.batch=6"},
                                 two = {"model.layers=1", "train.accumulate=2"};
  SmallRun plain(kMarkovRun, still(one));
  const auto before = logits_of(*plain)[0];
  const double tau = 0.7 * double(*std::max_element(before.begin(), before.end()));
  const auto weights = [&](std::vector<std::string> sets) {
    sets.push_back("optim.qk_clip.tau=" + std::to_string(tau));
    SmallRun run(kMarkovRun, still(sets));
    run->step();
    return to_host(parameter(run.parameters(), "blocks.0.attention.q.weight").weight);
  };
  EXPECT_EQ(weights(one), weights(two));
}

// Off, or with a tau that no logit reaches, the bits are the same, and probes keep their cadence.
TEST(QkClip, AboveAllLogitsItChangesNothing) {
  SmallRun off(kMarkovRun, {"log.probes=2"}),
      on(kMarkovRun, {"log.probes=2", "optim.qk_clip.tau=1e6"});
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(off->step().loss, on->step().loss);
    EXPECT_EQ(on->probed(), i % 2 == 1);
  }
  EXPECT_TRUE(same_bits(off.parameters().flat_weights(), on.parameters().flat_weights()));
}

TEST(QkClip, WorksWithEveryOptimizer) {
  for (const std::string& kind : optimizers().names()) {
    SmallRun run(kMarkovRun, {"optim.kind=" + kind, "model.init.deviation=0.6",
                              "optim.qk_clip.tau=1.5", "log.probes=1", "optim.lr=1e-4"});
    const auto first = logits_of(*run)[0];
    for (int i = 0; i < 6; ++i) run->step();
    const auto last = logits_of(*run)[0];
    EXPECT_GT(*std::max_element(first.begin(), first.end()), 2.5) << kind;
    EXPECT_LT(*std::max_element(last.begin(), last.end()), 2.5) << kind;
  }
}

TEST(QkClip, SkippedStepsLeaveTheWeights) {
  SmallRun run(kMarkovRun, {"optim.qk_clip.tau=1e-3"});
  run->step();
  run.parameters().flat_weights().data<float>()[40] = NAN;
  const Tensor& q = parameter(run.parameters(), "blocks.0.attention.q.weight").weight;
  const auto before = to_host(q);
  EXPECT_FALSE(run->step().finite);
  EXPECT_EQ(to_host(q), before);
}

TEST(QkClip, IsRefusedBesideQkNorm) {
  expect_error<ConfigError>(
      "--set: optim.qk_clip.tau: QK-norm undoes what QK-clip does to the weights; set "
      "optim.qk_clip.tau = 0 or model.attention.qk_norm.kind = \"none\"",
      [] {
        SmallRun(kMarkovRun, {"optim.qk_clip.tau=100", "model.attention.qk_norm.kind=rms"});
      });
}

}  // namespace
}  // namespace keel::test
