// Saving beside the training: what is saved is the state at the time of asking, errors surface, and
// a full disk does what the config says.
#include "train/saver.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <future>
#include <thread>

#include "io/error_text.h"
#include "io/faulty_fs.h"
#include "small_session.h"
#include "train/state_hash.h"

namespace keel::test {
namespace {

const char* const kAsync[] = {"checkpoint.async=true", "checkpoint.async=false"};

// The real files, where nothing can be made before the gate opens.
class GatedFs final : public Fs {
 public:
  std::promise<void> gate;

  std::unique_ptr<FsFile> create(const std::string& path) override {
    open_.wait();
    return real_fs().create(path);
  }
  void make_dir(const std::string& path) override { real_fs().make_dir(path); }
  void rename(const std::string& a, const std::string& b) override { real_fs().rename(a, b); }
  void remove_file(const std::string& path) override { real_fs().remove_file(path); }
  void remove_dir(const std::string& path) override { real_fs().remove_dir(path); }
  void sync_dir(const std::string& path) override { real_fs().sync_dir(path); }
  void sync_file(const std::string& path) override { real_fs().sync_file(path); }
  bool exists(const std::string& path) override { return real_fs().exists(path); }
  bool is_dir(const std::string& path) override { return real_fs().is_dir(path); }
  bool is_link(const std::string& path) override { return real_fs().is_link(path); }
  std::vector<std::string> list(const std::string& path) override { return real_fs().list(path); }
  std::string read_file(const std::string& path, uint64_t most) override {
    return real_fs().read_file(path, most);
  }

 private:
  std::shared_future<void> open_ = gate.get_future().share();
};

bool ends_with(const std::string& text, const std::string& end) { return text.ends_with(end); }

Session session(const Folder& folder, std::vector<std::string> sets) {
  return create_session(real_fs(), folder / "run.toml", sets, folder / "a");
}

TEST(Saver, SavesTheStateAsItWasWhileTrainingGoesOn) {
  const Folder folder;
  Session s = session(folder, {});
  GatedFs fs;
  Saver saver(fs, s.dir->path(), *s.checkpoint, {2, 0}, s.config_text);
  for (int i = 0; i < 3; ++i) s.trainer->step();
  const std::string hash = state_hash(*s.trainer);
  EXPECT_EQ(saver.begin(*s.trainer, {1.25, 0.5}), "");
  for (int i = 0; i < 2; ++i) s.trainer->step();
  EXPECT_NE(state_hash(*s.trainer), hash);
  EXPECT_FALSE(saver.collect(false));
  EXPECT_TRUE(saver.pending());
  fs.gate.set_value();
  const auto saved = saver.collect(true);
  ASSERT_TRUE(saved);
  EXPECT_FALSE(saver.pending());
  EXPECT_FALSE(saver.collect(true));
  EXPECT_EQ(saved->step, 3);
  EXPECT_GT(saved->seconds, 0);
  const LoadedCheckpoint loaded = load_checkpoint(saved->path);
  EXPECT_EQ(state_hash(loaded), hash);
  EXPECT_EQ(loaded.extra.at("loss").as_double(), 1.25);
  EXPECT_EQ(loaded.extra.at("grad_norm").as_double(), 0.5);
}

TEST(Saver, ASaveThatHasBegunIsFinishedWhenTheSaverGoes) {
  const Folder folder;
  Session s = session(folder, {});
  s.trainer->step();
  {
    Saver saver(real_fs(), s.dir->path(), *s.checkpoint, {2, 0}, s.config_text);
    saver.begin(*s.trainer, {});
  }
  EXPECT_EQ(load_newest_checkpoint(s.dir->path()).found->step, 1);
}

TEST(Saver, AnErrorIsThrownByWhoCollects) {
  for (const char* async : kAsync) {
    const Folder folder;
    Session s = session(folder, {async});
    FaultyFs fs;
    fs.at = 3;
    Saver saver(fs, s.dir->path(), *s.checkpoint, {2, 0}, s.config_text);
    EXPECT_EQ(saver.begin(*s.trainer, {}), "");
    EXPECT_PRED2(ends_with, error_text<IoError>([&] { saver.collect(true); }), "injected fault");
    EXPECT_FALSE(saver.pending());
    saver.begin_again();
    EXPECT_EQ(saver.collect(true)->step, 0);
    EXPECT_EQ(load_newest_checkpoint(s.dir->path()).found->step, 0);
  }
}

TEST(Saver, NothingThatIsNotFiniteIsSaved) {
  for (const char* async : kAsync) {
    const Folder folder;
    Session s = session(folder, {async});
    Saver saver(real_fs(), s.dir->path(), *s.checkpoint, {2, 0}, s.config_text);
    const StateTensor last = s.trainer->state().back();
    float* values = last.tensor.data<float>();
    for (const float bad : {NAN, INFINITY, -INFINITY}) {
      for (const int64_t i : {int64_t{0}, int64_t{7}, last.tensor.size() - 1}) {
        const float before = std::exchange(values[i], bad);
        EXPECT_EQ(saver.begin(*s.trainer, {}),
                  "tensor \"" + last.name + "\" is not finite at element " + std::to_string(i));
        EXPECT_FALSE(saver.pending());
        values[i] = before;
      }
    }
    EXPECT_TRUE(list_checkpoints(real_fs(), s.dir->path()).empty());
    EXPECT_EQ(saver.begin(*s.trainer, {}), "");
    EXPECT_EQ(saver.collect(true)->step, 0);
  }
}

TEST(Saver, TheCopyIsThatOfThePlanAndNoneIsMadeWithoutNeed) {
  const Folder folder;
  for (const auto& [set, copies] :
       {std::pair{"checkpoint.async=true", true}, std::pair{"checkpoint.async=false", false},
        std::pair{"checkpoint.every=0", false}}) {
    RunConfig c;
    load_config(folder / "run.toml", {set}, c);
    c.model.vocab = 257;
    const Plan plan = make_plan(c, DType::kF32);
    Session s = create_session(real_fs(), folder / "run.toml", {set}, folder / set);
    EXPECT_EQ(s.checkpoint->copies(), copies);
    EXPECT_EQ(plan.copy_bytes, CheckpointState::copy_bytes(*s.trainer));
    const int64_t before = heap_bytes_alive();
    const CheckpointState another(*s.trainer);
    EXPECT_EQ(heap_bytes_alive() - before, plan.copy_bytes);
    EXPECT_EQ(plan.copy_bytes > 0, copies);
  }
}

TEST(Saver, BitsAreThoseOfTrainingThatWaits) {
  std::vector<std::string> hashes;
  std::vector<std::vector<double>> losses;
  for (const char* async : kAsync) {
    const Folder folder;
    Watcher w;
    Session s = session(folder, {async, "checkpoint.every=1"});
    EXPECT_EQ(run(s, w).end, RunEnd::kFinished);
    EXPECT_EQ(w.saved, (std::vector<int64_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}));
    hashes.push_back(state_hash(load_newest_checkpoint(s.dir->path()).found.value()));
    losses.push_back(w.losses);
  }
  EXPECT_EQ(hashes[0], hashes[1]);
  EXPECT_EQ(losses[0], losses[1]);
}

// A disk with no room for anything, until `after` steps are done (or for ever).
struct FullDisk {
  FaultyFs fs;
  Watcher watcher;
  std::vector<std::string> warnings;

  RunOutcome run(Session& s, int64_t after = INT64_MAX) {
    struct Observes final : Observer {
      explicit Observes(FullDisk& d, int64_t steps) : disk(d), after(steps) {}
      FullDisk& disk;
      int64_t after;
      void on_step(const Trainer&, const StepResult& r, double) override {
        if (r.step == after) disk.fs.quota = INT64_MAX / 2;
      }
      void on_event(int64_t, std::string_view kind, std::string_view text) override {
        if (kind == "warning") disk.warnings.emplace_back(text);
      }
    } observes(*this, after);
    fs.quota = 0;
    RunLoop loop(s, fs, {&watcher, &observes}, watcher.stop);
    return loop.run();
  }
};

TEST(FullDisk, ContinueWarnsAndTriesAgainAfterTheNextInterval) {
  for (const char* async : kAsync) {
    const Folder folder;
    FullDisk disk;
    Session s = session(folder, {async});
    EXPECT_EQ(disk.run(s, 6).end, RunEnd::kFinished);
    EXPECT_EQ(disk.watcher.saved, (std::vector<int64_t>{8, 12}));
    ASSERT_EQ(disk.warnings.size(), 1u);
    EXPECT_TRUE(disk.warnings[0].starts_with("step 4 is not saved: ")) << disk.warnings[0];
    EXPECT_TRUE(disk.warnings[0].ends_with(
        "No space left on device; the checkpoint before it stands, the next save is tried when it "
        "is due"))
        << disk.warnings[0];
    EXPECT_EQ(real_fs().list(s.dir->path() + "/ckpt").size(), 2u);
  }
}

TEST(FullDisk, ContinueEndsWithAnErrorWhenTheLastSaveFails) {
  for (const char* async : kAsync) {
    const Folder folder;
    FullDisk disk;
    Session s = session(folder, {async});
    EXPECT_PRED2(ends_with, error_text<IoError>([&] { disk.run(s); }), "No space left on device");
    EXPECT_EQ(disk.watcher.losses.size(), 12u);
    EXPECT_EQ(disk.warnings.size(), 2u);  // after steps 4 and 8
  }
}

TEST(FullDisk, StopEndsTheRunAtOnce) {
  for (const char* async : kAsync) {
    const Folder folder;
    FullDisk disk;
    Session s = session(folder, {async, "checkpoint.on_disk_full=stop"});
    EXPECT_PRED2(ends_with, error_text<IoError>([&] { disk.run(s); }), "No space left on device");
    EXPECT_LE(disk.watcher.losses.size(), 8u);
    EXPECT_TRUE(disk.warnings.empty());
  }
}

TEST(FullDisk, PauseWaitsForRoom) {
  for (const char* async : kAsync) {
    const Folder folder;
    FullDisk disk;
    Session s = session(folder, {async, "checkpoint.on_disk_full=pause"});
    std::thread makes_room([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(1500));
      disk.fs.quota = INT64_MAX / 2;
    });
    EXPECT_EQ(disk.run(s).end, RunEnd::kFinished);
    makes_room.join();
    EXPECT_EQ(disk.watcher.saved, (std::vector<int64_t>{4, 8, 12}));
    ASSERT_EQ(disk.warnings.size(), 1u);
    EXPECT_NE(disk.warnings[0].find("No space left on device; paused after step "),
              std::string::npos)
        << disk.warnings[0];
  }
}

TEST(FullDisk, AStopEndsThePause) {
  const Folder folder;
  FullDisk disk;
  Session s = session(folder, {"checkpoint.on_disk_full=pause"});
  std::thread stops([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    disk.watcher.stop.ask_stop();
  });
  EXPECT_PRED2(ends_with, error_text<IoError>([&] { disk.run(s); }), "No space left on device");
  stops.join();
}

// What is no want of room is not waited for.
TEST(FullDisk, AnotherErrorEndsTheRun) {
  for (const char* policy : {"continue", "pause", "stop"}) {
    const Folder folder;
    Watcher w;
    Session s = session(folder, {"checkpoint.on_disk_full=" + std::string(policy)});
    FaultyFs fs;
    fs.at = 0;
    fs.persistent = true;
    RunLoop loop(s, fs, {&w}, w.stop);
    EXPECT_PRED2(ends_with, error_text<IoError>([&] { loop.run(); }), "injected fault");
    EXPECT_LE(w.losses.size(), 8u);
  }
}

// The checkpoint that stood stands, and nothing is left of the save that failed, at any room.
TEST(FullDisk, AQuotaAtEvery64KiBOfASave) {
  constexpr int64_t kStep = int64_t{64} << 10;
  const Folder folder;
  const std::vector<std::string> big = {"model.dim=64", "model.context=32", "checkpoint.every=4"};
  Session s = session(folder, big);
  Watcher w;
  w.stop_after = 4;
  run(s, w);
  const std::string run_path = s.dir->path();
  for (int64_t quota = 0;; quota += kStep) {
    FaultyFs fs;
    Saver saver(fs, run_path, *s.checkpoint, {2, 0}, s.config_text);
    s.trainer->step();
    const int64_t step = s.trainer->steps_done();
    fs.quota = quota;
    saver.begin(*s.trainer, {});
    try {
      const auto saved = saver.collect(true);
      EXPECT_EQ(load_newest_checkpoint(run_path).found->step, step);
      EXPECT_GT(quota, 10 * kStep);
      return;
    } catch (const IoError& e) {
      EXPECT_TRUE(e.no_room());
      const NewestCheckpoint newest = load_newest_checkpoint(run_path);
      EXPECT_EQ(newest.found->step, 4);
      EXPECT_TRUE(newest.skipped.empty());
      EXPECT_EQ(real_fs().list(run_path + "/ckpt").size(), 1u);
    }
  }
}

}  // namespace
}  // namespace keel::test
