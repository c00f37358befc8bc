// Xiong et al. (arXiv 2002.04745), at initialisation: with post-norm the gradient of the last
// feed-forward matrix does not shrink with depth and gradients grow from layer to layer; with
// pre-norm it shrinks like 1 / sqrt(layers) and they do not grow. (The paper's encoder-decoder
// shows them flat over the layers; in this causal model they fall.)
#include <gtest/gtest.h>

#include <cmath>

#include "config/load.h"
#include "core/philox.h"
#include "harness/check_op.h"
#include "models/decoder.h"
#include "ops/cross_entropy.h"
#include "ops/reshape.h"

namespace keel::test {
namespace {

constexpr int64_t kDim = 64, kVocab = 32, kTime = 8, kRows = 4;

// The paper's setting: Xavier weights, queries and keys 0, embeddings of deviation 1.
void start_as_in_the_paper(Decoder& model, uint64_t seed) {
  for (const Parameter& p : model.parameters().list()) {
    if (p.shape.axes() < 2) continue;
    const bool zero = p.name.ends_with(".q.weight") || p.name.ends_with(".k.weight");
    const double xavier = std::sqrt(2.0 / double(p.shape[0] + p.shape[1]));
    const double deviation = zero ? 0 : p.name == "embedding.weight" ? 1 : xavier;
    const std::vector<float> v = normal_values(p.weight.size(), ++seed, deviation);
    std::copy(v.begin(), v.end(), p.weight.data<float>());
  }
}

// Norm of the gradient of each layer's second feed-forward matrix, mean over seeds.
std::vector<double> profile(const std::string& placement, int64_t layers) {
  constexpr int kSeeds = 10;
  ModelConfig config;
  load_config_text("profile.toml",
                   "dim = 64\nheads = 1\ncontext = 16\ntied = false\n[norm]\nkind = 'layer'\n"
                   "[ffn]\nkind = 'relu'\n[position]\nkind = 'none'\n",
                   {"layers=" + std::to_string(layers), "placement.kind=" + placement}, config);
  Decoder model(config, kVocab, DeviceKind::kCpu, DType::kF32);
  model.initialise(1);
  model.parameters().want_gradients(true);
  std::vector<int32_t> tokens(kRows * kTime), targets(kRows * kTime);
  for (size_t i = 0; i < tokens.size(); ++i) {
    tokens[i] = static_cast<int32_t>(mix64(i) % kVocab);
    targets[i] = static_cast<int32_t>(mix64(i + 1000) % kVocab);
  }
  std::vector<double> mean(static_cast<size_t>(layers));
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    start_as_in_the_paper(model, 1000 * (seed + 1));
    Pass pass;
    pass.tokens = from_host({kRows, kTime}, std::span<const int32_t>(tokens));
    model.parameters().begin_gradients();
    const Var hidden = reshape(model.hidden(pass), {kRows * kTime, kDim});
    backward(head_loss(hidden, model.head(),
                       from_host({kRows * kTime}, std::span<const int32_t>(targets)), {}, nullptr)
                 .loss);
    size_t layer = 0;
    for (const Parameter& p : model.parameters().list()) {
      if (!p.name.ends_with(".ffn.down.weight")) continue;
      double square = 0;
      for (const float g : to_host(p.grad)) square += double(g) * double(g);
      mean[layer++] += std::sqrt(square) / kSeeds;
    }
  }
  return mean;
}

// First and last third of the layers.
double growth(const std::vector<double>& profile) {
  const size_t third = profile.size() / 3;
  double first = 0, last = 0;
  for (size_t i = 0; i < third; ++i) {
    first += profile[i];
    last += profile[profile.size() - 1 - i];
  }
  return last / first;
}

TEST(GradientProfile, PostNormDoesNotShrinkWithDepth) {
  const std::vector<double> shallow = profile("post", 6), deep = profile("post", 12);
  EXPECT_GT(deep.back(), 0.9 * shallow.back());  // measured: 1.1
  EXPECT_GT(growth(deep), 1.1);                  // 1.2
}

TEST(GradientProfile, PreNormShrinksWithTheRootOfDepth) {
  const std::vector<double> shallow = profile("pre", 6), deep = profile("pre", 12);
  EXPECT_NEAR(deep.back() / shallow.back(), std::sqrt(0.5), 0.1);  // 0.67
  EXPECT_LT(growth(deep), 1);                                      // 0.5
  EXPECT_LT(deep.back(), 0.5 * profile("post", 12).back());        // 0.24
}

}  // namespace
}  // namespace keel::test
