// Every file operation of a run's saves fails or is cut, in every way that a file system has; what
// is left can be resumed.
#include <gtest/gtest.h>

#include "checkpoints.h"
#include "harness/durable_fs.h"
#include "io/faulty_fs.h"
#include "train/checkpoint_names.h"

namespace keel {
namespace {

constexpr int64_t kInterval = 10, kLast = 50;

struct Failure {
  const char* name;
  Fault fault;
  bool from_then_on;
};

// A run that saves after every interval, two checkpoints kept. Returns the step of the last save
// that said it had succeeded; 0: none did.
int64_t save_all(Fs& fs, const std::string& run) {
  int64_t saved = 0;
  try {
    for (int64_t step = kInterval; step <= kLast; step += kInterval) {
      try {
        rotate_checkpoints(fs, run, {2, 0}, save_small(run, step, fs));
        saved = step;
      } catch (const Error&) {  // the run goes on and tries again after the next interval
      }
    }
  } catch (const PowerCut&) {
  }
  return saved;
}

// Whatever was said to be saved is there, whole; nothing torn has a final name; the run goes on.
void expect_resumable(const std::string& run, int64_t saved) {
  for (const CheckpointEntry& e : list_checkpoints(real_fs(), run)) {
    LoadedCheckpoint loaded;
    const auto damage = read_checkpoint(real_fs(), e.path, loaded);
    EXPECT_FALSE(damage) << damage->text;
  }
  const NewestCheckpoint newest = load_newest_checkpoint(run);
  const int64_t step = newest.found ? newest.found->step : 0;
  EXPECT_GE(step, saved);
  EXPECT_LE(step, saved + kInterval);
  if (newest.found) {
    float w[40];
    newest.found->model.copy_to("w", "F32", {5, 8}, w);
    EXPECT_EQ(w[0], static_cast<float>(step));
    EXPECT_EQ(newest.found->extra.at("sequences").as_int(), 16 * step);
  }
  remove_leftovers(real_fs(), run);
  const std::string next = save_small(run, step + kInterval);
  EXPECT_EQ(load_newest_checkpoint(run).found->path, next);
  for (const std::string& name : real_fs().list(checkpoint_root(run))) {
    EXPECT_TRUE(checkpoint_step(name)) << name;
  }
}

// Also when the power goes later: what was said to be saved has reached the disk.
void expect_resumable_after_a_power_cut(const DurableFs& fs, int64_t saved, uint64_t seed) {
  const struct {
    const char* name;
    Unsynced unsynced;
    uint64_t seed;
  } cuts[] = {{"all that is unsynced is lost", Unsynced::kLost, 0},
              {"names stay, bytes are lost", Unsynced::kNamesStay, 0},
              {"everything stays", Unsynced::kStays, 0},
              {"some stays", Unsynced::kStaysAtRandom, 3 * seed},
              {"some stays, again", Unsynced::kStaysAtRandom, 3 * seed + 1},
              {"some stays, once more", Unsynced::kStaysAtRandom, 3 * seed + 2}};
  for (const auto& cut : cuts) {
    SCOPED_TRACE(cut.name);
    const TempDir after;
    fs.leave(after / "disk", cut.unsynced, cut.seed);
    expect_resumable(after / "disk/run", saved);
  }
}

class EveryOperation : public testing::TestWithParam<Failure> {};

TEST_P(EveryOperation, OfFiveSavesLeavesARunThatGoesOn) {
  const Failure& failure = GetParam();
  bool hit = true;
  int k = 0;
  for (; hit; ++k) {  // until nothing fails
    SCOPED_TRACE("operation " + std::to_string(k));
    const TempDir disk;
    FaultyFs faulty;
    DurableFs fs(faulty, disk.path());
    fs.make_dir(disk / "run");
    fs.sync_dir(disk.path());
    faulty.operations = 0;
    faulty.fault = failure.fault;
    faulty.persistent = failure.from_then_on;
    faulty.at = k;
    const int64_t saved = save_all(fs, disk / "run");
    hit = faulty.operations > k;
    if (!hit) {
      EXPECT_EQ(saved, kLast);
    } else if (!failure.from_then_on) {
      EXPECT_GE(saved, kLast - kInterval);
    }
    expect_resumable_after_a_power_cut(fs, saved, static_cast<uint64_t>(k));
    if (HasFailure()) return;
  }
  std::cout << "[ operations ] " << k - 1 << "\n";
  EXPECT_GT(k, 150);
}

INSTANTIATE_TEST_SUITE_P(Saving, EveryOperation,
                         testing::Values(Failure{"IoErrorOnce", Fault::kIo, false},
                                         Failure{"IoErrorFromThenOn", Fault::kIo, true},
                                         Failure{"NoRoomOnce", Fault::kNoRoom, false},
                                         Failure{"NoRoomFromThenOn", Fault::kNoRoom, true},
                                         Failure{"PowerCut", Fault::kPowerCut, true}),
                         [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace keel
