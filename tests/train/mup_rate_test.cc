// muP's rates reach the optimizer: hidden matrices learn at base_dim / dim of the rate, all else at
// the rate itself, before a resume and after it. Lion shows them: without decay, a step changes
// every element that has a gradient by the rate of its tensor.
#include <gtest/gtest.h>

#include <cmath>

#include "save_trainer.h"
#include "small_session.h"

namespace keel::test {
namespace {

std::vector<std::string> sets(const Folder& folder, const std::string& init) {
  std::vector<std::string> s = folder.sets();
  for (const char* more :
       {"model.tied=false", "model.bias=true", "optim.kind=lion", "optim.weight_decay=0"}) {
    s.emplace_back(more);
  }
  s.push_back("model.init=" + init);
  return s;
}

bool hidden(const Parameter& p) {
  return p.shape.axes() > 1 && p.name != "embedding.weight" && p.name != "head.weight";
}

// The rate that a step gave each tensor, by the largest change of an element; no element but those
// without a gradient changes otherwise.
void expect_rates(SmallRun& run, double of_hidden) {
  std::vector<std::vector<float>> before;
  for (const Parameter& p : run.parameters().list()) before.push_back(to_host(p.weight));
  const double rate = run->step().rate;
  ASSERT_GT(rate, 1e-3);
  for (size_t k = 0; k < before.size(); ++k) {
    const Parameter& p = run.parameters().list()[k];
    const std::vector<float> after = to_host(p.weight);
    const double want = rate * (hidden(p) ? of_hidden : 1);
    double largest = 0;
    for (size_t i = 0; i < after.size(); ++i) {
      const double change = std::abs(double(after[i]) - double(before[k][i]));
      if (change != 0) {
        EXPECT_NEAR(change, want, 1e-3 * want) << p.name;
      }
      largest = std::max(largest, change);
    }
    EXPECT_NEAR(largest, want, 1e-3 * want) << p.name;
  }
}

TEST(MupRate, OfHiddenMatricesFallsWithTheWidth) {
  const Folder folder;  // of dim 16
  for (const auto& [init, factor] :
       std::vector<std::pair<std::string, double>>{{"{kind='mup', base_dim=16}", 1},
                                                   {"{kind='mup', base_dim=8}", 0.5},
                                                   {"{kind='mup', base_dim=64}", 4},
                                                   {"{kind='gpt2'}", 1}}) {
    SmallRun run(kTextRun, sets(folder, init));
    for (int i = 0; i < 2; ++i) expect_rates(run, factor);
  }
}

TEST(MupRate, IsTheSameAfterAResume) {
  const Folder folder;
  real_fs().make_dir(folder / "run");
  const std::vector<std::string> config = sets(folder, "{kind='mup', base_dim=8}");
  SmallRun unbroken(kTextRun, config), resumed(kTextRun, config);
  for (int i = 0; i < 3; ++i) unbroken->step();
  const std::string path = save_trainer(real_fs(), folder / "run", *unbroken, {1, 2}, "");
  load_trainer(load_checkpoint(path), *resumed);
  for (int i = 0; i < 2; ++i) {
    unbroken->step();
    expect_rates(resumed, 0.5);
  }
  EXPECT_TRUE(snapshot(*resumed) == snapshot(*unbroken));
}

}  // namespace
}  // namespace keel::test
