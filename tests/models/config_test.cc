// Rules between the keys of a model's norms, placement, residual scheme and biases.
#include "models/config.h"

#include <gtest/gtest.h>

#include <cmath>

#include "config/load.h"
#include "core/error.h"
#include "harness/config_coverage.h"
#include "harness/expect_error.h"
#include "models/decoder.h"

namespace keel::test {
namespace {

ModelConfig tiny(const std::vector<std::string>& sets) {
  ModelConfig config;
  load_config_text("tiny.toml", "dim = 16\nlayers = 2\nheads = 2\ncontext = 8\n", sets, config);
  return config;
}

std::vector<std::string> names(const std::vector<std::string>& sets, const std::string& part) {
  const Decoder model(tiny(sets), 7, DeviceKind::kMeta, DType::kF32);
  std::vector<std::string> out;
  for (const Parameter& p : model.parameters().list()) {
    if (p.name.find(part) != std::string::npos) out.push_back(p.name);
  }
  return out;
}

double deviation(Decoder& model, const std::string& name) {
  for (const Parameter& p : model.parameters().list()) {
    if (p.name != name) continue;
    double square = 0;
    for (int64_t i = 0; i < p.weight.size(); ++i) {
      square += std::pow(double(p.weight.data<float>()[i]), 2);
    }
    return std::sqrt(square / double(p.weight.size()));
  }
  ADD_FAILURE() << name;
  return 0;
}

TEST(BiasConfig, EveryMemberIsAKey) { harness::expect_all_walked<BiasConfig>("biases"); }

TEST(BiasConfig, SitesOverrideTheModel) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(names({}, ".bias"), Names());
  EXPECT_EQ(names({"layers=1", "biases.k=on"}, ".bias"), Names{"blocks.0.attention.k.bias"});
  EXPECT_EQ(names({"layers=1", "bias=true", "biases.q=off", "biases.ffn=off"}, ".bias"),
            (Names{"blocks.0.attention.k.bias", "blocks.0.attention.v.bias",
                   "blocks.0.attention.out.bias"}));
  EXPECT_EQ(names({"layers=1", "biases.ffn=on"}, ".bias").size(), 3u);
  expect_error<ConfigError>(
      "--set: biases.q: must be one of \"inherit\", \"on\", \"off\", is \"yes\"",
      [] { tiny({"biases.q=yes"}); });
}

TEST(HeadConfig, EveryMemberIsAKey) { harness::expect_all_walked<HeadConfig>("head"); }

TEST(HeadConfig, ABiasDoesNotGoWithMup) {
  expect_error<ConfigError>(
      "--set: head.bias: muP multiplies what the head makes by 1 / width, and would shrink the "
      "bias with it; leave it false",
      [] {
        tiny({"head.bias=true", "init.kind=mup"});
      });
}

TEST(EntropyPenalty, IsOfWeightsThatSumToOne) {
  expect_error<ConfigError>(
      "tiny.toml: attention.entropy_floor: no row is below 0; set it above, or leave "
      "entropy_weight at 0",
      [] { tiny({"attention.entropy_weight=0.1"}); });
  const std::string on = "attention={entropy_weight=0.1, entropy_floor=1, ";
  expect_error<ConfigError>(
      "--set: attention.entropy_weight: is of weights that sum to 1, which they do not beside a "
      "sink; set sink = \"none\"",
      [&] { tiny({on + "sink='learned'}"}); });
  expect_error<ConfigError>(
      "--set: attention.entropy_weight: is of weights that sum to 1, which clipped ones do not; "
      "set clip_zeta = 1 and clip_gamma = 0",
      [&] { tiny({on + "clip_zeta=1.03}"}); });
}

TEST(FinalNorm, AsThePlacementHasItOrAsTold) {
  EXPECT_EQ(names({}, "final_norm").size(), 1u);
  EXPECT_EQ(names({"final_norm=off"}, "final_norm").size(), 0u);
  EXPECT_EQ(names({"placement.kind=post"}, "final_norm").size(), 0u);
  EXPECT_EQ(names({"placement.kind=unnormed"}, "final_norm").size(), 0u);
  EXPECT_EQ(names({"placement.kind=unnormed", "final_norm=on"}, "final_norm").size(), 1u);
  expect_error<ConfigError>(
      "--set: final_norm: \"on\" does not go with placement \"deepnorm\": the last block ends in a "
      "norm, and a second one behind it would norm the same values again",
      [] {
        tiny({"placement.kind=deepnorm", "final_norm=on"});
      });
  expect_error<ConfigError>(
      "--set: final_norm: \"off\" does not go with placement \"residual_dual\": the second stream "
      "reaches the output through this norm alone",
      [] {
        tiny({"placement.kind=residual_dual", "final_norm=off"});
      });
}

TEST(AttentionNorm, IsThereToBeLeftOut) {
  for (const char* kind : {"post", "reordered", "parallel", "unnormed", "deepnorm"}) {
    expect_error<ConfigError>(
        std::string("--set: attention_norm: placement \"") + kind +
            "\" has no norm in front of attention that could be left out; choose \"pre\"",
        [&] {
          tiny({"attention_norm=false", std::string("placement.kind=") + kind});
        });
  }
  EXPECT_EQ(names({"attention_norm=false"}, "attention_norm").size(), 0u);
}

TEST(EmbeddingNorm, HasItsOwnKind) {
  EXPECT_EQ(names({"embedding_norm.kind=layer"}, "embedding_norm"),
            (std::vector<std::string>{"embedding_norm.gain", "embedding_norm.bias"}));
}

struct ZeroOutputs final : Init {
  Start start(Role role, const Shape&) const override {
    return {Start::Kind::kConstant, role == Role::kResidualOutput ? 0.0 : 1.0};
  }
};

TEST(ReZero, WithAZeroOutputNothingWouldMove) {
  ResidualChoice residual(residuals(), "rezero", None::kAllowed);
  const auto gpt2 = inits().make("gpt2", InitArgs{});
  EXPECT_TRUE(branch_stays_zero(residual, ZeroOutputs()));
  EXPECT_FALSE(branch_stays_zero(residual, *gpt2));
  residual.select("layer_scale");
  EXPECT_FALSE(branch_stays_zero(residual, ZeroOutputs()));
  residual.select("none");
  EXPECT_FALSE(branch_stays_zero(residual, ZeroOutputs()));
}

// beta = (8 layers)^(-1/4) on values, output and feed-forward; queries and keys as everywhere. No
// other factor of depth.
TEST(DeepNorm, InitialisationByRole) {
  Decoder model(tiny({"placement.kind=deepnorm", "dim=64"}), 7, DeviceKind::kCpu, DType::kF32);
  Decoder scaled(tiny({"placement.kind=scaled", "dim=64"}), 7, DeviceKind::kCpu, DType::kF32);
  Decoder pre(tiny({"dim=64"}), 7, DeviceKind::kCpu, DType::kF32);
  for (Decoder* m : {&model, &scaled, &pre}) m->initialise(1);
  const std::string a = "blocks.1.attention.", f = "blocks.1.ffn.";
  for (const std::string& name : {a + "q", a + "k"}) {
    EXPECT_NEAR(deviation(model, name + ".weight"), 0.02, 0.001);
  }
  for (const std::string& name : {a + "v", a + "out", f + "gate", f + "up", f + "down"}) {
    EXPECT_NEAR(deviation(model, name + ".weight"), 0.01, 0.0005) << name;  // 16^(-1/4) = 1/2
    EXPECT_NEAR(deviation(scaled, name + ".weight"), 0.02, 0.001) << name;
  }
  EXPECT_NEAR(deviation(pre, a + "out.weight"), 0.01, 0.0005);  // sqrt(2 * 2) = 2
}

}  // namespace
}  // namespace keel::test
