#include "train/state_hash.h"

#include <gtest/gtest.h>

#include "save_trainer.h"
#include "small_session.h"
#include "train/checkpoint.h"

namespace keel::test {
namespace {

// Buffers of modules, state of the clip and an average are part of it too.
const std::vector<std::string> kMuchState = {"model.linear.kind=sigma_reparam", "clip.kind=adagc"};

std::vector<std::string> sets(const Folder& folder) {
  std::vector<std::string> out = folder.sets();
  out.insert(out.end(), kMuchState.begin(), kMuchState.end());
  return out;
}

TEST(StateHash, OfATrainerIsThatOfItsCheckpoint) {
  const Folder folder;
  real_fs().make_dir(folder / "run");
  SmallRun run(kTextRun, sets(folder));
  for (int i = 0; i < 3; ++i) run->step();
  const std::string path = save_trainer(real_fs(), folder / "run", *run, {1, 2}, "");
  const std::string hash = state_hash(*run);
  EXPECT_EQ(hash.size(), 32u);
  EXPECT_EQ(state_hash(load_checkpoint(path)), hash);
  SmallRun other(kTextRun, sets(folder));
  EXPECT_NE(state_hash(*other), hash);
  load_trainer(load_checkpoint(path), *other);
  EXPECT_EQ(state_hash(*other), hash);
}

TEST(StateHash, EveryBitOfEveryPartCounts) {
  const Folder folder;
  SmallRun run(kTextRun, sets(folder));
  for (int i = 0; i < 2; ++i) run->step();
  const std::string hash = state_hash(*run);
  std::vector<Tensor> parts;
  for (const Parameter& p : run.parameters().list()) parts.push_back(p.weight);
  for (const Parameters::Buffer& b : run.parameters().buffers()) parts.push_back(b.tensor);
  for (const StateTensor& s : run->state()) parts.push_back(s.tensor);
  EXPECT_GT(parts.size(), 40u);
  for (const Tensor& t : parts) {
    char& last = t.data<char>()[t.bytes() - 1];
    last = static_cast<char>(last ^ 1);
    EXPECT_NE(state_hash(*run), hash);
    last = static_cast<char>(last ^ 1);
  }
  EXPECT_EQ(state_hash(*run), hash);
  run->restored(3);
  EXPECT_NE(state_hash(*run), hash);
}

TEST(StateHash, ThreadsAndPlacesDoNotCount) {
  const auto hash = [](int threads) {
    const Folder folder;
    const Threads in_force(threads);
    SmallRun run(kTextRun, sets(folder));
    for (int i = 0; i < 2; ++i) run->step();
    return state_hash(*run);
  };
  EXPECT_EQ(hash(1), hash(2));
}

}  // namespace
}  // namespace keel::test
