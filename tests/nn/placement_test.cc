// What each placement and residual scheme promises, with branches that are known functions.
#include "nn/placement/placement.h"

#include <gtest/gtest.h>

#include <cmath>

#include "config/load.h"
#include "harness/check_op.h"
#include "ops/blend.h"

namespace keel::test {
namespace {

constexpr int64_t kDim = 16;

// A branch: factor times its input; it keeps what it was given.
struct Linear final : Sublayer {
  float factor;
  mutable std::vector<Tensor> inputs, outputs;
  explicit Linear(float f) : factor(f) {}
  Var forward(const Var& x, Pass&) const override {
    inputs.push_back(x.t);
    const Var y = blend(x, factor, {}, 0);
    outputs.push_back(y.t);
    return y;
  }
};

struct Stack {
  Parameters parameters{DeviceKind::kCpu, DType::kF32};
  NormChoice norm{norms(), "layer"};
  ResidualChoice residual{residuals(), "none", None::kAllowed};
  std::vector<std::unique_ptr<Placement>> layers;
  std::unique_ptr<Norm> final_norm;
  Linear attention, ffn;

  Stack(const std::string& kind, int64_t n, float a, float f, const std::string& multiply = "none")
      : attention(a), ffn(f) {
    residual.select(multiply);
    const PlacementChoice choice(placements(), kind);
    for (int64_t i = 0; i < n; ++i) {
      layers.push_back(placements().make(
          choice, {parameters, norm, residual, "blocks." + std::to_string(i), kDim, i, n}));
    }
    if (choice.options_as<PlacementOptions>().final_norm().wanted) {
      final_norm = norms().make(norm, {parameters, "final_norm", kDim});
    }
    parameters.allocate();
    parameters.fill(*inits().make("gpt2", InitArgs{}), 1);
  }
  // The stream after the last block, its branch not yet added.
  Stream run(const Tensor& x) {
    Stream s;
    s.x_btd = x;
    Pass pass;
    for (const auto& l : layers) l->block(s, attention, ffn, pass);
    return s;
  }
  Tensor finish(Stream s) const {
    return layers.back()->finish(s, final_norm.get(), DType::kF32).t;
  }
};

Tensor total(const Stream& s) {
  return s.branch_btd ? blend(s.x_btd, 1, s.branch_btd, 1).t : s.x_btd.t;
}

Tensor ln(const Tensor& x) {
  Parameters p(DeviceKind::kCpu, DType::kF32);
  const auto norm = norms().make("layer", NormArgs{p, "n", kDim});
  p.allocate();
  p.fill(*inits().make("gpt2", InitArgs{}), 1);
  return norm->forward(x, DType::kF32).t;
}

Tensor plus(const Tensor& a, const Tensor& b, float fa = 1, float fb = 1) {
  return blend(a, fa, b, fb).t;
}

const Tensor& data() {
  static const Tensor x = normal_tensor({2, 3, kDim}, 5, 3, 0.3);
  return x;
}

void expect_near(const Tensor& a, const Tensor& b) { EXPECT_LT(relative_error(a, b), 1e-6); }

TEST(PreNorm, WithoutBranchesIsTheIdentity) {
  for (const char* kind : {"pre", "sandwich", "reordered", "scaled", "parallel", "unnormed"}) {
    Stack s(kind, 4, 0, 0);
    EXPECT_TRUE(same_bits(total(s.run(data())), data())) << kind;
    const Tensor end = s.final_norm ? ln(data()) : data();
    EXPECT_TRUE(same_bits(s.finish(s.run(data())), end)) << kind;
  }
}

TEST(PostNorm, WithoutBranchesNormsTwiceALayer) {
  Stack s("post", 3, 0, 0);
  Tensor want = data();
  for (int i = 0; i < 6; ++i) want = ln(want);
  EXPECT_TRUE(same_bits(s.finish(s.run(data())), want));
  EXPECT_EQ(s.parameters.list().size(), 12u);  // gain and bias of six norms
}

TEST(PreNorm, Formula) {
  Stack s("pre", 1, 0.5f, -2);
  const Tensor h = plus(data(), ln(data()), 1, 0.5f);
  expect_near(total(s.run(data())), plus(h, ln(h), 1, -2));
}

TEST(PostNorm, Formula) {
  Stack s("post", 1, 0.5f, -2);
  const Tensor h = ln(plus(data(), data(), 1, 0.5f));
  expect_near(total(s.run(data())), ln(plus(h, h, 1, -2)));
}

TEST(Sandwich, NormsBothSides) {
  Stack s("sandwich", 1, 0.5f, -2);
  const auto twice = [](const Tensor& x, float factor) { return ln(plus(ln(x), x, factor, 0)); };
  const Tensor h = plus(data(), twice(data(), 0.5f));
  expect_near(total(s.run(data())), plus(h, twice(h, -2)));
}

TEST(ReorderedNorm, NormsTheOutputAlone) {
  Stack s("reordered", 1, 0.5f, -2);
  const Tensor h = plus(data(), ln(data()));
  expect_near(total(s.run(data())), plus(h, ln(h), 1, -1));
  EXPECT_TRUE(same_bits(s.attention.inputs[0], data()));
}

TEST(Parallel, BothBranchesReadOneNorm) {
  Stack s("parallel", 1, 0.5f, -2);
  expect_near(total(s.run(data())), plus(data(), ln(data()), 1, -1.5f));
  EXPECT_TRUE(same_bits(s.attention.inputs[0], s.ffn.inputs[0]));
  EXPECT_EQ(s.parameters.list().size(), 4u);  // one norm and the final one
}

TEST(ResiDual, DualStreamIsTheSumOfAllBranches) {
  Stack s("residual_dual", 4, 0.5f, -0.7f);
  const Stream end = s.run(data());
  Tensor sum = data();
  for (int i = 0; i < 4; ++i) {
    sum = plus(plus(sum, s.attention.outputs[size_t(i)]), s.ffn.outputs[size_t(i)]);
  }
  EXPECT_TRUE(same_bits(end.dual_btd.t, sum));
  expect_near(s.finish(end), plus(end.x_btd.t, ln(sum)));
}

TEST(ResiDual, WithoutTheDualStreamIsPostNorm) {
  Stack dual("residual_dual", 3, 0.5f, -0.7f), post("post", 3, 0.5f, -0.7f);
  EXPECT_TRUE(same_bits(dual.run(data()).x_btd.t, post.run(data()).x_btd.t));
}

TEST(DeepNorm, WeighsTheStream) {
  Stack s("deepnorm", 8, 0.5f, 0);
  const float alpha = 2;  // (2 * 8)^(1/4)
  Tensor want = data();
  for (int i = 0; i < 8; ++i) {
    const Tensor h = ln(plus(want, want, alpha, 0.5f));
    want = ln(plus(h, h, alpha, 0));
  }
  expect_near(s.finish(s.run(data())), want);
}

TEST(DeepNorm, StartsBranchesSmaller) {
  const PlacementChoice deep(placements(), "deepnorm"), pre(placements(), "pre");
  EXPECT_DOUBLE_EQ(deep.options_as<PlacementOptions>().branch_init(2), 0.5);  // 16^(-1/4)
  EXPECT_EQ(pre.options_as<PlacementOptions>().branch_init(2), 1);
}

TEST(LayerNormScaling, DividesByTheRootOfTheLayer) {
  Stack one("scaled", 1, 0.5f, -2), pre("pre", 1, 0.5f, -2);
  EXPECT_TRUE(same_bits(total(one.run(data())), total(pre.run(data()))));
  Stack four("scaled", 4, 0, 0);
  four.run(data());
  for (int l = 0; l < 4; ++l) {
    const Tensor want = plus(ln(data()), data(), 1 / std::sqrt(float(l + 1)), 0);
    expect_near(four.attention.inputs[size_t(l)], want);
    expect_near(four.ffn.inputs[size_t(l)], want);
  }
}

TEST(ReZero, StartsAsTheIdentity) {
  Stack s("unnormed", 4, 0.5f, -2, "rezero");
  EXPECT_TRUE(same_bits(s.finish(s.run(data())), data()));
  EXPECT_EQ(s.parameters.count(), 8);  // a number for each branch
}

TEST(LayerScale, StartsAtATenth) {
  Stack s("unnormed", 1, 0.5f, -2, "layer_scale");
  const Tensor h = plus(data(), data(), 1, 0.05f);
  expect_near(total(s.run(data())), plus(h, h, 1, -0.2f));
  EXPECT_EQ(s.parameters.count(), 2 * kDim);
}

// The factor's own gradient is there at once; the branch's only when the factor has moved.
TEST(ReZero, FirstGradientIsTheFactors) {
  Stack s("pre", 1, 0.5f, -2, "rezero");
  s.parameters.want_gradients(true);
  s.parameters.begin_gradients();
  backward(blend(s.run(data()).branch_btd, 1, {}, 0), normal_tensor(data().shape(), 9));
  s.parameters.finish_gradients();
  Tape::current().clear();
  for (const Parameter& p : s.parameters.list()) {
    double square = 0;
    for (const float g : to_host(p.grad)) square += double(g) * double(g);
    if (p.name == "blocks.0.ffn_norm.gain") {
      EXPECT_EQ(square, 0);
    }
    if (p.name == "blocks.0.ffn_residual.factor") {
      EXPECT_GT(square, 0);
    }
  }
}

}  // namespace
}  // namespace keel::test
