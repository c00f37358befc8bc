// Twenty steps of two decoders against PyTorch, from the same weights on the same tokens
// (tools/make_golden_models.py): logits, every gradient, losses and gradient norms.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/error.h"
#include "harness/check_op.h"
#include "harness/golden.h"
#include "io/temp_dir.h"
#include "small_run.h"

namespace keel::test {
namespace {

const char* kCommon = R"(
[model]
dim = 32
layers = 2
heads = 4
context = 16
vocab = 64
[train]
steps = 20
[optim]
lr = 0.01
[schedule]
warmup = 5
[clip]
norm = 0.7
[data]
kind = "shards"
sampler = "stream"
split = 0
)";

struct Style {
  const char* golden;
  std::vector<std::string> sets;
};

Style gpt2() {
  return {"models_gpt2.safetensors",
          {"model.bias=true", "model.norm.kind=layer", "model.position.kind=learned",
           "model.ffn.kind=gelu", "train.batch=4"}};
}

// The batch of four in two halves, whose gradients are summed.
Style llama() {
  return {"models_llama.safetensors",
          {"model.tied=false", "model.kv_heads=2", "model.attention.qk_norm.kind=rms",
           "train.batch=2", "train.accumulate=2"}};
}

class Compared {
 public:
  Compared(const Style& style, DType compute) : golden(style.golden) {
    const Tensor ids = golden.tensor("tokens");
    std::vector<uint16_t> shard(static_cast<size_t>(ids.size()));
    for (size_t i = 0; i < shard.size(); ++i) {
      shard[i] = static_cast<uint16_t>(ids.data<int32_t>()[i]);
    }
    const std::string path = dir_ / "tokens.bin";
    real_fs().write_file(path, {reinterpret_cast<const char*>(shard.data()), 2 * shard.size()});
    std::vector<std::string> sets = style.sets;
    sets.push_back("data.path=\"" + path + "\"");
    run = std::make_unique<SmallRun>(kCommon, sets, compute);
    for (const Parameter& p : run->parameters().list()) {
      const Tensor start = golden.tensor("start/" + p.name);
      if (start.shape() != p.shape) throw ShapeError(p.name + " has another shape in PyTorch");
      std::memcpy(p.weight.raw(), start.raw(), start.bytes());
    }
    run->parameters().refresh_copies();
  }

  Tensor logits_of_step_0() const {
    Batch batch;
    run->data->train_batch(0, run->config.sequences(), batch);
    NoGrad off;
    Pass pass;
    pass.tokens = from_host({batch.rows, batch.length}, std::span<const int32_t>(batch.inputs));
    return (*run)->model().logits(pass).t;
  }

  Golden golden;
  std::unique_ptr<SmallRun> run;

 private:
  TempDir dir_;
};

struct Bounds {
  double logits, gradients, losses, norms;
};
constexpr Bounds kF32{1e-5, 1e-5, 1e-5, 1e-5};
constexpr Bounds kBf16{2e-2, 5e-2, 5e-3, 3e-2};

// Relative to the tensor's own gradient, or to 1 % of the whole: that of a key's bias is 0 (it
// moves all scores of a row alike) but for rounding.
void expect_gradient(const Parameter& p, const Tensor& wanted, double bound, double whole) {
  double error = 0, norm = 0;
  for (int64_t i = 0; i < wanted.size(); ++i) {
    const double w = wanted.data<float>()[i], e = p.grad.data<float>()[i] - w;
    error += e * e;
    norm += w * w;
  }
  EXPECT_LT(std::sqrt(error), bound * std::max(std::sqrt(norm), 0.01 * whole)) << p.name;
}

void expect_same_as_pytorch(const Style& style, DType compute, const Bounds& bounds) {
  Compared c(style, compute);
  EXPECT_LT(relative_error(c.logits_of_step_0(), c.golden.tensor("logits").view({4, 16, 64})),
            bounds.logits);
  const std::vector<double> losses = c.golden.doubles("losses"), norms = c.golden.doubles("norms");
  for (size_t i = 0; i < losses.size(); ++i) {
    const StepResult r = (*c.run)->step();
    EXPECT_NEAR(r.loss, losses[i], bounds.losses * losses[i]) << "step " << r.step;
    EXPECT_NEAR(r.grad_norm, norms[i], bounds.norms * norms[i]) << "step " << r.step;
    EXPECT_EQ(r.tokens, 64);
    if (i > 0) continue;
    for (const Parameter& p : c.run->parameters().list()) {
      expect_gradient(p, c.golden.tensor("grad/" + p.name), bounds.gradients, norms[0]);
    }
  }
}

TEST(PyTorch, Gpt2StyleLosses) { expect_same_as_pytorch(gpt2(), DType::kF32, kF32); }
TEST(PyTorch, LlamaStyleLosses) { expect_same_as_pytorch(llama(), DType::kF32, kF32); }

TEST(PyTorch, LossesInBf16) {
  if (!cpu_has_bf16()) GTEST_SKIP() << "no bf16 products on this processor";
  expect_same_as_pytorch(gpt2(), DType::kBf16, kBf16);
  expect_same_as_pytorch(llama(), DType::kBf16, kBf16);
}

}  // namespace
}  // namespace keel::test
