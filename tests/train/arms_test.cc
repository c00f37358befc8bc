// What runs of one seed share, whatever else their configs say: the order of the training data, the
// validation windows and where every tensor starts that they have in common. Comparisons of arms by
// seed as a block rest on it.
#include <gtest/gtest.h>

#include <set>

#include "harness/check_op.h"
#include "io/fs.h"
#include "io/temp_dir.h"
#include "nn/attention/qk_norm.h"
#include "small_run.h"
#include "train/methods.h"

namespace keel::test {
namespace {

using Sets = std::vector<std::string>;

// Two sources of text and an untied head: as much as runs can share.
class Arms : public testing::Test {
 protected:
  Arms() {
    for (const char* name : {"a.txt", "b.txt"}) {
      std::string text;
      for (int i = 0; text.size() < 9000; ++i) text += name + std::to_string(i * i) + "\n";
      real_fs().write_file(dir_ / name, text);
    }
  }
  SmallRun arm(const Sets& sets) const {
    Sets all{"train.seed=3"};
    all.insert(all.end(), sets.begin(), sets.end());
    return SmallRun(
        "[model]\ndim = 32\nlayers = 2\nheads = 4\ncontext = 24\ntied = false\nbias = true\n"
        "[model.ffn]\nhidden = 48\n[data]\nkind = \"text\"\nsources = [{path = \"" +
            (dir_ / "a.txt") + "\", weight = 0.7}, {path = \"" + (dir_ / "b.txt") +
            "\", weight = 0.3}]\n[train]\nbatch = 3\naccumulate = 2\nsteps = 20\n",
        all);
  }

 private:
  TempDir dir_;
};

// Batches of training and all validation windows, as one list of numbers.
std::vector<int32_t> train_data(const SmallRun& run) {
  std::vector<int32_t> all;
  Batch batch;
  for (int64_t first = 0; first < 240; first += 6) {
    run.data->train_batch(first, 6, batch);
    for (const auto* part : {&batch.inputs, &batch.targets, &batch.source}) {
      all.insert(all.end(), part->begin(), part->end());
    }
  }
  return all;
}
std::vector<int32_t> eval_data(const SmallRun& run) {
  std::vector<int32_t> all;
  Batch batch;
  run.data->eval_batch(0, run.data->eval_windows(), batch);
  for (const auto* part : {&batch.inputs, &batch.targets, &batch.source}) {
    all.insert(all.end(), part->begin(), part->end());
  }
  for (const float w : batch.weights) all.push_back(w > 0);
  return all;
}

// Names of the tensors that both have in one shape and that start the same, or not.
struct Common {
  std::set<std::string> equal, other;
};
Common common(const SmallRun& a, const SmallRun& b) {
  Common out;
  for (const Parameter& p : a.parameters().list()) {
    for (const Parameter& q : b.parameters().list()) {
      if (p.name != q.name || p.shape != q.shape) continue;
      (same_bits(p.weight, q.weight) ? out.equal : out.other).insert(p.name);
    }
  }
  return out;
}

// Matrices that every arm has: both tables, and of each block q, k, v, out and the feed-forward's
// up and down.
const size_t kSharedMatrices = 2 + 2 * 6;

void expect_shared(const SmallRun& base, const SmallRun& arm, const std::string& what) {
  EXPECT_TRUE(train_data(arm) == train_data(base)) << what;
  EXPECT_TRUE(eval_data(arm) == eval_data(base)) << what;
  const Common tensors = common(base, arm);
  EXPECT_TRUE(tensors.other.empty()) << what << ": " << testing::PrintToString(tensors.other);
  EXPECT_GE(tensors.equal.size(), kSharedMatrices) << what;
}

TEST_F(Arms, OfTheMethodsShareWhatTheyCan) {
  const SmallRun base = arm({"method=baseline"});
  for (const Preset& method : methods().list) {
    expect_shared(base, arm({"method=" + method.name}), method.name);
  }
}

TEST_F(Arms, OfOtherSwitchesDoAsWell) {
  const SmallRun base = arm({});
  std::vector<Sets> arms;
  for (const std::string& kind : norms().names()) {
    arms.push_back({"model.norm.kind=" + kind});
    if (kind == "batch") arms.back().push_back("model.norm.allow_leak=true");
  }
  // Those that start branches smaller by design are looked at below.
  for (const std::string& kind : placements().names()) {
    if (kind != "deepnorm" && kind != "scaled") arms.push_back({"model.placement.kind=" + kind});
  }
  for (const std::string& kind : ffns().names()) arms.push_back({"model.ffn.kind=" + kind});
  for (const std::string& kind : positions().names()) {
    arms.push_back({"model.position.kind=" + kind});
  }
  for (const std::string& kind : linears().names()) arms.push_back({"model.linear.kind=" + kind});
  for (const std::string& kind : residuals().names()) {
    arms.push_back({"model.residual.kind=" + kind});
  }
  for (const std::string& kind : qk_norms().names()) {
    arms.push_back({"model.attention.qk_norm.kind=" + kind});
  }
  for (const std::string& kind : optimizers().names()) arms.push_back({"optim.kind=" + kind});
  for (const char* heads : {"1", "2", "8"}) {
    arms.push_back({std::string("model.heads=") + heads});
  }
  for (const Sets& more : {Sets{"optim.lr=0.1", "schedule.warmup=9"}, Sets{"train.steps=50"},
                           Sets{"model.dropout=0.2", "train.ema=0.9"}, Sets{"log.probes=1"},
                           Sets{"model.embedding_norm.kind=rms"}, Sets{"model.bias=false"},
                           Sets{"clip.norm=0.1"}, Sets{"model.attention.gate=head"}}) {
    arms.push_back(more);
  }
  for (const Sets& sets : arms) expect_shared(base, arm(sets), testing::PrintToString(sets));
}

// Fewer key heads or a wider feed-forward layer: all but those tensors.
TEST_F(Arms, OfOtherSizesShareTheRest) {
  const SmallRun base = arm({});
  for (const Sets& sets : {Sets{"model.kv_heads=2"}, Sets{"model.ffn.hidden=64"}}) {
    const Common tensors = common(base, arm(sets));
    EXPECT_TRUE(tensors.other.empty()) << testing::PrintToString(tensors.other);
    EXPECT_GE(tensors.equal.size(), kSharedMatrices - 4);
  }
}

// Placements that weigh branches by depth start what sizes a branch larger or smaller, by one
// factor.
TEST_F(Arms, ThatScaleBranchesShareTheirNumbers) {
  const SmallRun base = arm({});
  for (const char* kind : {"deepnorm", "scaled"}) {
    const SmallRun scaled = arm({std::string("model.placement.kind=") + kind});
    const std::set<std::string> names = common(base, scaled).other;
    EXPECT_GE(names.size(), 2u) << kind;
    for (const std::string& name : names) {
      const std::vector<float> a = to_host(parameter(base.parameters(), name).weight);
      const std::vector<float> b = to_host(parameter(scaled.parameters(), name).weight);
      const double factor = static_cast<double>(b[0]) / static_cast<double>(a[0]);
      for (size_t i = 0; i < a.size(); ++i) {
        const double want = factor * static_cast<double>(a[i]);
        ASSERT_NEAR(b[i], want, 1e-6 * std::abs(want)) << kind << " " << name;
      }
    }
  }
}

// Validation windows stay: seeds are compared on the same ones.
TEST_F(Arms, OfAnotherSeedDoNot) {
  const SmallRun base = arm({});
  const SmallRun init = arm({"seed.init=4"}), data = arm({"seed.data=4"});
  EXPECT_TRUE(train_data(init) == train_data(base));
  EXPECT_FALSE(train_data(data) == train_data(base));
  EXPECT_TRUE(eval_data(data) == eval_data(base));
  EXPECT_TRUE(common(base, data).other.empty());
  const Common tensors = common(base, init);
  for (const std::string& name : tensors.equal) {
    EXPECT_EQ(parameter(base.parameters(), name).shape.axes(), 1) << name;
  }
  EXPECT_EQ(tensors.other.size(), kSharedMatrices + 2);  // and the gates
}

}  // namespace
}  // namespace keel::test
