// Every optimizer, schedule, clip and dtype, batches of one and several micro-batches, threads and
// samplers in pairs: a run that is killed after any step, in the warm-up, at a restart of its
// schedule, within a pass over the data or at its end, and resumed with another number of threads,
// has after each later step the state hash of the run that was never stopped.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "exclusions.h"
#include "io/temp_dir.h"
#include "save_trainer.h"
#include "small_run.h"
#include "train/checkpoint_store.h"
#include "train/state_hash.h"

namespace keel::test {

// 18 windows: a pass ends with step 9 of two sequences, and with steps 3, 6 and 9 of six.
inline const char* const kResumeRun = R"(
[model]
dim = 16
layers = 1
heads = 2
context = 8
dropout = 0.1
[data]
kind = "text"
split = 0.2
[train]
batch = 2
steps = 10
[optim]
lr = 0.01
[log]
probes = 0
)";

inline const std::vector<Factor>& resume_factors() {
  static const std::vector<Factor> all = [] {
    std::vector<Factor> f = training_factors();
    f.push_back(one_key("sampler", "data.sampler", {"shuffled", "stream"}));
    f.push_back(of("threads", {"one_then_two", "two_then_one"}));
    return f;
  }();
  return all;
}

inline const std::vector<PairRow>& resume_rows() {
  static const std::vector<PairRow> rows = covering_rows_of(resume_factors());
  return rows;
}

// The hash after each step, and a checkpoint of each in `folder`.
inline std::vector<std::string> unbroken_hashes(SmallRun& run, const std::string& folder) {
  std::vector<std::string> hashes{state_hash(*run)};
  while (run->steps_done() < run.config.train.steps) {
    EXPECT_TRUE(run->step().finite);
    save_trainer(real_fs(), folder, *run, {}, "");
    hashes.push_back(state_hash(*run));
  }
  return hashes;
}

inline void check_resume(const PairRow& row) {
  const TempDir dir;
  std::string text;
  while (text.size() < 181) text += "line " + std::to_string(text.size() * text.size()) + "\n";
  real_fs().write_file(dir / "text.txt", text.substr(0, 181));
  std::vector<std::string> sets{"data.path=\"" + (dir / "text.txt") + "\""};
  std::string name;
  bool bf16 = false, one_first = false;
  for (size_t f = 0; f < row.size(); ++f) {
    const Level& level = resume_factors()[f].levels[row[f]];
    sets.insert(sets.end(), level.sets.begin(), level.sets.end());
    name += resume_factors()[f].name + ":" + level.name + " ";
    bf16 |= level.name == "bf16";
    one_first |= level.name == "one_then_two";
  }
  SCOPED_TRACE(name);
  const DType compute = bf16 && cpu_has_bf16() ? DType::kBf16 : DType::kF32;
  std::vector<std::string> hashes;
  {
    const Threads in_force(one_first ? 1 : 2);
    SmallRun run(kResumeRun, sets, compute);
    hashes = unbroken_hashes(run, dir.path());
  }
  const Threads in_force(one_first ? 2 : 1);
  for (const CheckpointEntry& saved : list_checkpoints(real_fs(), dir.path())) {
    SmallRun run(kResumeRun, sets, compute);
    load_trainer(load_checkpoint(saved.path), *run);
    for (size_t step = static_cast<size_t>(saved.step);; ++step) {
      ASSERT_EQ(state_hash(*run), hashes[step]) << "killed after " << saved.step << ", at " << step;
      if (step + 1 == hashes.size()) break;
      run->step();
    }
  }
}

}  // namespace keel::test
