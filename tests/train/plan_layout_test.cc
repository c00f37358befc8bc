// The plan runs the code of training: its layouts are those that a real step records, whatever the
// model, so that a real trainer can take them over.
#include <gtest/gtest.h>

#include "harness/check_op.h"
#include "small_run.h"
#include "train/plan.h"

namespace keel::test {
namespace {

using Sets = std::vector<std::string>;

class PlanLayout : public ::testing::TestWithParam<Sets> {};

TEST_P(PlanLayout, IsThatOfARealStep) {
  Sets sets = GetParam();
  DType compute = DType::kF32;
  if (sets.back() == "bf16") {
    sets.pop_back();
    if (!cpu_has_bf16()) GTEST_SKIP() << "no bf16 products here: " << onednn_isa();
    compute = DType::kBf16;
  }
  SmallRun recorded(kMarkovRun, sets, compute), adopted(kMarkovRun, sets, compute);
  Trainer planned(recorded.config, nullptr, DeviceKind::kMeta, compute);
  planned.plan();
  adopted->adopt_layouts(planned);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(recorded->step().loss, adopted->step().loss);
  EXPECT_EQ(recorded->evaluate(0).loss, adopted->evaluate(0).loss);
  EXPECT_EQ(planned.memory().activations, recorded->memory().activations);
  EXPECT_EQ(adopted->memory().activations, recorded->memory().activations);
  EXPECT_TRUE(same_bits(adopted.parameters().flat_weights(), recorded.parameters().flat_weights()));
}

INSTANTIATE_TEST_SUITE_P(
    Train, PlanLayout,
    ::testing::Values(Sets{"model.kv_heads=2"}, Sets{"model.kv_heads=2", "bf16"},
                      Sets{"model.ffn.kind=gelu", "model.position.kind=learned", "model.bias=true",
                           "model.norm.kind=layer", "model.dropout=0.1", "train.accumulate=3"},
                      Sets{"model.linear.kind=sigma_reparam", "task.z_loss=1e-4",
                           "model.head.softcap=30", "model.ffn.kind=geglu", "bf16"},
                      Sets{"model.linear.kind=weight_norm", "task.label_smoothing=0.1"},
                      Sets{"model.ffn.kind=relu", "model.position.kind=none", "model.tied=false",
                           "model.placement.kind=post", "model.attention.qk_norm.kind=layer"},
                      Sets{"model.placement.kind=post", "model.attention.qk_norm.kind=rms",
                           "model.dropout=0.2", "bf16"}));

}  // namespace
}  // namespace keel::test
