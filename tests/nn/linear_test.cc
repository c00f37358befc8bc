// What the reparametrised linears promise as modules: how they start, what they keep.
#include "nn/linear/linear.h"

#include <gtest/gtest.h>

#include <cmath>

#include "harness/check_op.h"
#include "nn/linear/sigma_reparam.h"

namespace keel::test {
namespace {

struct OneLinear {
  Parameters parameters;
  std::unique_ptr<LinearWeight> linear;
  StepState state;

  explicit OneLinear(const std::string& kind, DType compute = DType::kF32)
      : OneLinear(LinearChoice(linears(), kind), compute) {}
  explicit OneLinear(const LinearChoice& choice, DType compute = DType::kF32)
      : parameters(DeviceKind::kCpu, compute) {
    linear = linears().make(
        choice, {parameters, {{"q", 24, keel::Role::kLinear}, {"k", 8, keel::Role::kLinear}}, 16});
    parameters.allocate();
    parameters.fill(*inits().make("gpt2", InitArgs{}), 1);
  }
  Tensor at_step(uint64_t step) {
    NoGrad off;
    Pass pass;
    state.step = step;
    pass.step = &state;
    return linear->weight(pass).t;
  }
  Tensor evaluated() const {
    NoGrad off;
    return linear->weight(Pass()).t;
  }
  std::vector<float> u() const { return to_host(parameters.buffers()[0].tensor); }
};

// With gamma = sigma (and g = |v|) the model starts as the plain one, and in bf16 as its rounding.
TEST(Linear, StartsAsThePlainOne) {
  for (const DType type : {DType::kF32, DType::kBf16}) {
    const Tensor plain = OneLinear("plain", type).evaluated();
    OneLinear sigma("sigma_reparam", type), norm("weight_norm", type);
    EXPECT_TRUE(same_bits(sigma.at_step(0), plain));
    EXPECT_TRUE(same_bits(norm.at_step(0), plain));
  }
}

TEST(SigmaReparamLinear, Parameters) {
  const OneLinear l("sigma_reparam");
  std::vector<std::string> names;
  for (const Parameter& p : l.parameters.list()) names.push_back(p.name + p.shape.str());
  EXPECT_EQ(names, (std::vector<std::string>{"q.weight[24, 16]", "k.weight[8, 16]", "q.gamma[1]",
                                             "k.gamma[1]"}));
  ASSERT_EQ(l.parameters.buffers().size(), 2);
  EXPECT_EQ(l.parameters.buffers()[0].name, "q.u");
  EXPECT_EQ(l.parameters.buffers()[1].name, "k.u");
}

TEST(SigmaReparamLinear, GammaMayStartAtOne) {
  LinearChoice choice(linears(), "sigma_reparam");
  choice.options_as<SigmaReparamLinear::Config>().gamma = "one";
  const OneLinear l(choice);
  EXPECT_EQ(to_host(l.parameters.list()[2].weight)[0], 1);
  EXPECT_EQ(to_host(l.parameters.list()[3].weight)[0], 1);
}

// One iteration a training step, whatever the number of micro-batches; none in evaluation.
TEST(SigmaReparamLinear, UMovesOnceAStepInTrainingOnly) {
  OneLinear l("sigma_reparam");
  float* w = l.parameters.list()[0].weight.data<float>();
  for (int i = 0; i < 24 * 16; ++i) w[i] += 0.01f * float(i % 7);  // so that u has to move
  const std::vector<float> before = l.u();
  const Tensor ahead = l.evaluated();
  EXPECT_EQ(l.u(), before);
  const Tensor first = l.at_step(0);
  EXPECT_TRUE(same_bits(first, ahead));
  const std::vector<float> after = l.u();
  EXPECT_NE(after, before);
  EXPECT_TRUE(same_bits(l.at_step(0), first));  // the second micro-batch
  EXPECT_EQ(l.u(), after);
  EXPECT_FALSE(same_bits(l.at_step(1), first));
  EXPECT_NE(l.u(), after);
}

// The saved u is enough to go on with the same bits, also after other steps were taken.
TEST(SigmaReparamLinear, GoesOnFromTheSavedU) {
  OneLinear a("sigma_reparam"), b("sigma_reparam");
  for (OneLinear* l : {&a, &b}) {
    float* w = l->parameters.list()[0].weight.data<float>();
    for (int i = 0; i < 24 * 16; ++i) w[i] += 0.01f * float(i % 7);
  }
  a.at_step(0);
  a.at_step(1);
  for (uint64_t step : {0, 1, 2}) b.at_step(step);
  for (size_t i = 0; i < 2; ++i) {
    const std::vector<float> u = to_host(a.parameters.buffers()[i].tensor);
    std::copy(u.begin(), u.end(), b.parameters.buffers()[i].tensor.data<float>());
  }
  b.parameters.refresh_copies();
  EXPECT_TRUE(same_bits(a.at_step(2), b.at_step(2)));
  EXPECT_EQ(a.u(), b.u());
}

}  // namespace
}  // namespace keel::test
