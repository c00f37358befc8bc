#include "train/checkpoint_diff.h"

#include <gtest/gtest.h>

#include "checkpoints.h"

namespace keel {
namespace {

struct Content {
  int64_t step = 3;
  std::vector<float> w{1, 2, 3, 4, 5, 6};
  std::vector<float> m{0.5f, 0.25f};
  std::vector<uint16_t> h{0x3f80, 0x4000};  // 1 and 2
  std::vector<int64_t> shape{2, 3};
  bool has_m = true, has_extra = false;
  double loss = 1;

  LoadedCheckpoint saved() const {
    const TempDir run;
    CheckpointContent c;
    c.step = step;
    c.model = {{"w", "F32", shape, w.data(), w.size() * 4}, {"h", "BF16", {2}, h.data(), 4}};
    if (has_m) c.state.push_back({"w.m", "F32", {2}, m.data(), 8});
    if (has_extra) c.state.push_back({"x", "I64", {}, &step, 8});
    c.extra.set("loss", loss).set("sequences", step * 2);
    return load_checkpoint(save_checkpoint(real_fs(), run.path(), c));
  }
};

StateComparison compare(const Content& a, const Content& b) {
  return compare_state(a.saved(), b.saved());
}

TEST(CheckpointDiff, EqualStateIsEqual) {
  const StateComparison c = compare({}, {.loss = 2});  // the loss of a step is not state
  EXPECT_FALSE(c.first);
  EXPECT_EQ(c.tensors, 3);
  EXPECT_EQ(c.differing, 0);
}

TEST(CheckpointDiff, NamesTheFirstTensorAndElement) {
  const StateComparison c = compare({}, {.w = {1, 2, 3, 4, 5.5f, 7}, .m = {0.5f, 0}});
  ASSERT_TRUE(c.first);
  EXPECT_EQ(c.first->file, "model.safetensors");
  EXPECT_EQ(c.first->name, "w");
  EXPECT_EQ(c.first->element, 4);
  EXPECT_EQ(c.first->index, (std::vector<int64_t>{1, 1}));
  EXPECT_EQ(c.first->a, Json(5.0));
  EXPECT_EQ(c.first->b, Json(5.5));
  EXPECT_EQ(c.first->text, "model.safetensors: tensor \"w\": element 4 [1, 1] is 5.0 and 5.5");
  EXPECT_EQ(c.tensors, 3);
  EXPECT_EQ(c.differing, 2);
}

TEST(CheckpointDiff, EveryKindOfDifference) {
  const auto text = [](const Content& b) { return compare({}, b).first->text; };
  EXPECT_EQ(text({.m = {0.5f, -0.25f}}),
            "state.safetensors: tensor \"w.m\": element 1 [1] is 0.25 and -0.25");
  EXPECT_EQ(text({.h = {0x3f80, 0x4040}}),
            "model.safetensors: tensor \"h\": element 1 [1] is 2.0 and 3.0");
  EXPECT_EQ(text({.shape = {3, 2}}), "model.safetensors: \"w\" is F32 [2, 3] and F32 [3, 2]");
  EXPECT_EQ(text({.has_m = false}), "state.safetensors: \"w.m\" is in the first alone");
  EXPECT_EQ(text({.has_extra = true}), "state.safetensors: \"x\" is in the second alone");
  EXPECT_EQ(text({.step = 4}), "MANIFEST.json: \"step\" is 3 and 4");
}

TEST(CheckpointDiff, MinusZeroIsNotZero) {
  const StateComparison c = compare({.m = {0, 0}}, {.m = {0, -0.0f}});
  EXPECT_EQ(c.first->text, "state.safetensors: tensor \"w.m\": element 1 [1] is 0.0 and -0.0");
}

}  // namespace
}  // namespace keel
