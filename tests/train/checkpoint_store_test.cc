#include "train/checkpoint_store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <random>

#include "checkpoints.h"
#include "io/error_text.h"
#include "io/faulty_fs.h"
#include "save_trainer.h"
#include "small_run.h"
#include "train/checkpoint_names.h"

namespace keel {
namespace {

std::vector<int64_t> steps(const std::vector<CheckpointEntry>& entries) {
  std::vector<int64_t> out;
  for (const CheckpointEntry& e : entries) out.push_back(e.step);
  return out;
}

std::vector<int64_t> steps(const std::string& run) {
  return steps(list_checkpoints(real_fs(), run));
}

// A run with checkpoints of steps first, first + by, ... up to last.
class SavedRun {
 public:
  SavedRun(int64_t first, int64_t last, int64_t by = 1) {
    real_fs().write_file(dir_ / "config.toml", "");
    for (int64_t step = first; step <= last; step += by) save_small(path(), step);
  }
  const std::string& path() const { return dir_.path(); }
  std::string folder(int64_t step) const { return join_path(dir_ / "ckpt", checkpoint_name(step)); }
  std::string newest() const { return list_checkpoints(real_fs(), path()).back().path; }
  void rotate(const Retention& r, Fs& fs = real_fs()) const {
    rotate_checkpoints(fs, path(), r, newest());
  }

 private:
  TempDir dir_;
};

TEST(CheckpointStore, ListsByStepFinalNamesOnly) {
  const SavedRun run(99999999, 99999999);
  for (const int64_t step : {123456789, 0}) save_small(run.path(), step);
  for (const char* name : {"step-7", "step-00000007.tmp-0123", ".trash-step-00000008-1", "mine"}) {
    real_fs().make_dir(run.path() + "/ckpt/" + name);
  }
  set_pinned(real_fs(), run.folder(0), true);
  const auto entries = list_checkpoints(real_fs(), run.path());
  EXPECT_EQ(steps(entries), (std::vector<int64_t>{0, 99999999, 123456789}));
  EXPECT_EQ(entries[1].path, run.folder(99999999));
  EXPECT_TRUE(entries[0].pinned);
  EXPECT_FALSE(entries[1].pinned || entries[2].pinned);
  const TempDir empty;
  EXPECT_TRUE(list_checkpoints(real_fs(), empty.path()).empty());
}

TEST(CheckpointStore, TheNewestThatVerifiesIsUsedAndTheOthersAreNamed) {
  const SavedRun run(1, 4);
  flip(run.folder(4) + "/config.toml", 0);
  real_fs().remove_file(run.folder(3) + "/state.safetensors");
  std::vector<Skipped> skipped;
  const auto loaded = newest_verified(real_fs(), run.path(), skipped);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->step, 2);
  EXPECT_EQ(skipped_lines(skipped),
            (std::vector<std::string>{"skipped " + run.folder(4) + ": " + run.folder(4) +
                                          "/config.toml: damaged, it does not have its xxh3-128",
                                      "skipped " + run.folder(3) + ": " + run.folder(3) +
                                          "/state.safetensors: missing"}));
  for (const int64_t step : {1, 2}) real_fs().remove_tree(run.folder(step));
  skipped.clear();
  EXPECT_FALSE(newest_verified(real_fs(), run.path(), skipped));
  EXPECT_EQ(no_checkpoint("R", {{}, skipped}),
            "R: no checkpoint of the run verifies; step-00000004: " + run.folder(4) +
                "/config.toml: damaged, it does not have its xxh3-128");
  EXPECT_EQ(no_checkpoint("R", {}), "R: the run has no checkpoint");
}

// A file that says which checkpoint is the newest is not even read.
TEST(CheckpointStore, ANoteOfWhatIsNewestIsNotTrusted) {
  const SavedRun run(1, 2);
  for (const char* text : {"step-00000001\n", "step-00000009\n", "\xff"}) {
    real_fs().replace_file(run.path() + "/ckpt/LATEST", text);
    EXPECT_EQ(load_newest_checkpoint(run.path()).found->step, 2);
  }
}

TEST(CheckpointStore, EveryFlippedByteOfTheManifestFallsBack) {
  const SavedRun run(1, 2);
  const std::string manifest = run.folder(2) + "/MANIFEST.json";
  const std::string good = read_text(manifest);
  for (size_t i = 0; i < good.size(); ++i) {
    flip(manifest, i, i % 8);
    const NewestCheckpoint newest = load_newest_checkpoint(run.path());
    ASSERT_TRUE(newest.found) << i;
    EXPECT_EQ(newest.found->step, 1) << i;
    ASSERT_EQ(newest.skipped.size(), 1u) << i;
    EXPECT_EQ(newest.skipped[0].path, run.folder(2));
    EXPECT_TRUE(newest.skipped[0].reason.starts_with(manifest + ": damaged, ")) << i;
    overwrite(manifest, good);
  }
}

// Of a trainer's checkpoint: 1,000 random bytes, each alone with one bit flipped.
TEST(CheckpointStore, AThousandFlippedBytesOfDataAreNamedAndFallBack) {
  const TempDir run;
  test::SmallRun trained(test::kMarkovRun, {"model.dim=16", "model.heads=2"});
  std::string folder;
  for (int i = 0; i < 2; ++i) {
    trained->step();
    folder = save_trainer(real_fs(), run.path(), *trained, {1, 2}, "");
  }
  std::mt19937 random(5);
  for (int i = 0; i < 1000; ++i) {
    const std::string file =
        join_path(folder, random() % 2 == 0 ? "model.safetensors" : "state.safetensors");
    const std::vector<TensorEntry> tensors = SafetensorsFile(file).tensors();
    const uint64_t begin = tensors.front().begin, end = tensors.back().end();
    const uint64_t byte = begin + random() % (end - begin);
    const unsigned bit = random() % 8;
    const auto hit = std::find_if(tensors.begin(), tensors.end(), [&](const TensorEntry& t) {
      return t.begin <= byte && byte < t.end();
    });
    flip(file, byte, bit);
    const NewestCheckpoint newest = load_newest_checkpoint(run.path());
    ASSERT_TRUE(newest.found);
    EXPECT_EQ(newest.found->step, 1);
    ASSERT_EQ(newest.skipped.size(), 1u);
    EXPECT_EQ(newest.skipped[0].reason,
              file + ": damaged, tensor \"" + hit->name + "\" does not have its checksum");
    flip(file, byte, bit);
  }
  EXPECT_EQ(load_newest_checkpoint(run.path()).found->step, 2);
}

TEST(CheckpointStore, WhatCannotBeReadIsPassedOver) {
  const SavedRun run(1, 2);
  const std::string file = run.folder(2) + "/model.safetensors";
  real_fs().remove_file(file);
  real_fs().make_dir(file);
  EXPECT_EQ(load_newest_checkpoint(run.path()).skipped.at(0).reason, file + ": not a file");
  real_fs().remove_dir(file);
  ASSERT_EQ(::mkfifo(file.c_str(), 0600), 0);
  const NewestCheckpoint newest = load_newest_checkpoint(run.path());
  EXPECT_EQ(newest.skipped.at(0).reason, file + ": not a file");
  EXPECT_EQ(newest.found->step, 1);
}

// Bytes behind the last tensor that come in pieces of their own were once read as the tensor's.
TEST(CheckpointStore, AFileThatHasGrownByMoreThanAPiece) {
  const SavedRun run(1, 1);
  const std::string file = run.folder(1) + "/model.safetensors";
  const size_t size = read_text(file).size();
  overwrite(file, read_text(file) + std::string(3'000'000, 'x'));
  EXPECT_EQ(error_text<DataError>([&] { load_checkpoint(run.folder(1)); }),
            file + ": " + std::to_string(size + 3'000'000) + " bytes, the manifest says " +
                std::to_string(size));
}

// Without a checksum the file is still told from its hash, but no tensor.
TEST(CheckpointStore, AManifestWithoutTensorChecksums) {
  const SavedRun run(1, 1);
  const std::string manifest = run.folder(1) + "/MANIFEST.json";
  std::string text = read_text(manifest);
  for (size_t at; (at = text.find(",\"crc32c\":")) != std::string::npos;) text.erase(at, 20);
  text = text.substr(0, text.rfind("\"xxh3_128\""));
  overwrite(manifest, text + "\"xxh3_128\":\"" + xxh3_hex(text) + "\"}\n");
  EXPECT_EQ(load_checkpoint(run.folder(1)).step, 1);
  const std::string file = run.folder(1) + "/model.safetensors";
  flip(file, read_text(file).size() - 1);
  EXPECT_EQ(error_text<DataError>([&] { load_checkpoint(run.folder(1)); }),
            file +
                ": damaged, it does not have its xxh3-128, and its tensors have no checksums "
                "that would say where");
}

TEST(CheckpointStore, FindsRunsAndCheckpoints) {
  const SavedRun run(1, 2);
  Fs& fs = real_fs();
  EXPECT_EQ(find_checkpoint(fs, run.path()), run.folder(2));
  EXPECT_EQ(find_checkpoint(fs, run.path() + "/"), run.path() + "/ckpt/step-00000002");
  EXPECT_EQ(find_checkpoint(fs, run.folder(1) + "//"), run.folder(1));
  const auto error = [&](const std::string& path) {
    return error_text<DataError>([&] { find_checkpoint(fs, path); });
  };
  EXPECT_EQ(error(run.path() + "/none"), run.path() + "/none: no such run or checkpoint");
  EXPECT_EQ(error(run.path() + "/config.toml"),
            run.path() + "/config.toml: no such run or checkpoint");
  fs.remove_tree(run.path() + "/ckpt");
  EXPECT_EQ(error(run.path()), run.path() + ": the run has no checkpoint");
  fs.make_dir(run.path() + "/ckpt");
  EXPECT_EQ(error(run.path()), run.path() + ": the run has no checkpoint");
}

TEST(CheckpointStore, FindsTheRunOfACheckpoint) {
  const SavedRun run(3, 3);
  const CheckpointInRun found = find_in_run(real_fs(), run.folder(3));
  EXPECT_EQ(found.run, run.path());
  EXPECT_EQ(found.entry.step, 3);
  const std::string inside = run.folder(3) + "/../step-00000003";
  EXPECT_EQ(find_in_run(real_fs(), inside).run, run.folder(3) + "/../..");
  for (const std::string& path : {run.path(), run.path() + "/ckpt", run.folder(4)}) {
    EXPECT_EQ(error_text<DataError>([&] { find_in_run(real_fs(), path); }),
              path + ": not a checkpoint of a run");
  }
}

TEST(Rotation, KeepsTheNewestGoodOnes) {
  const SavedRun run(1, 6);
  run.rotate({.keep = 0});
  EXPECT_EQ(steps(run.path()), (std::vector<int64_t>{1, 2, 3, 4, 5, 6}));
  overwrite(run.folder(5) + "/MANIFEST.json", "{}");
  run.rotate({.keep = 3});
  EXPECT_EQ(steps(run.path()), (std::vector<int64_t>{3, 4, 5, 6}));
  EXPECT_EQ(real_fs().list(run.path() + "/ckpt").size(), 4u);
  for (const int64_t keep : {1, -1}) {
    EXPECT_EQ(error_text<ConfigError>([&] { run.rotate({.keep = keep}); }),
              "checkpoint.keep: " + std::to_string(keep) + ", must be 0 (all) or at least 2");
  }
}

TEST(Rotation, KeepsEveryNthAndWhatIsPinned) {
  const SavedRun run(100, 1200, 100);
  set_pinned(real_fs(), run.folder(700), true);
  const Retention r{.keep = 2, .keep_every = 400};
  run.rotate(r);
  EXPECT_EQ(steps(run.path()), (std::vector<int64_t>{400, 700, 800, 1100, 1200}));
  set_pinned(real_fs(), run.folder(700), false);
  set_pinned(real_fs(), run.folder(700), false);
  run.rotate(r);
  EXPECT_EQ(steps(run.path()), (std::vector<int64_t>{400, 800, 1100, 1200}));
}

// A pin belongs to the step: it outlives a save of that step in its place.
TEST(Rotation, APinOutlivesASaveInItsPlace) {
  const SavedRun run(1, 4);
  set_pinned(real_fs(), run.folder(1), true);
  save_small(run.path(), 1);
  run.rotate({.keep = 2});
  EXPECT_EQ(steps(run.path()), (std::vector<int64_t>{1, 3, 4}));
}

TEST(Rotation, NothingIsRemovedUnlessTheNewManifestReadsBack) {
  const SavedRun run(1, 5);
  const std::string manifest = run.folder(5) + "/MANIFEST.json";
  flip(manifest, 30);
  const std::string error = error_text<IoError>([&] { run.rotate({.keep = 2}); });
  EXPECT_TRUE(error.starts_with(manifest + ": damaged, ")) << error;
  EXPECT_TRUE(error.ends_with("; no older checkpoint is removed")) << error;
  EXPECT_EQ(steps(run.path()), (std::vector<int64_t>{1, 2, 3, 4, 5}));
}

// A run that was resumed at 2, because 5 and 6 do not verify, has saved 3 and 4.
TEST(Rotation, CheckpointsOfLaterStepsStayAndDoNotCount) {
  const SavedRun run(1, 6);
  flip(run.folder(5) + "/config.toml", 0);
  flip(run.folder(6) + "/config.toml", 0);
  rotate_checkpoints(real_fs(), run.path(), {.keep = 2}, run.folder(4));
  EXPECT_EQ(steps(run.path()), (std::vector<int64_t>{3, 4, 5, 6}));
}

TEST(Rotation, ThatFailsLosesNothingNew) {
  for (const bool persistent : {false, true}) {
    for (int k = 0; k < 40; ++k) {
      const SavedRun run(1, 4);
      FaultyFs fs;
      fs.at = k;
      fs.persistent = persistent;
      const std::string error = error_text<IoError>([&] { run.rotate({.keep = 2}, fs); });
      EXPECT_EQ(error == "no error", fs.operations <= k) << k << " " << error;
      EXPECT_FALSE(error.starts_with("another")) << error;
      const NewestCheckpoint newest = load_newest_checkpoint(run.path());
      ASSERT_TRUE(newest.found);
      EXPECT_EQ(newest.found->step, 4);
      for (const auto& e : list_checkpoints(real_fs(), run.path())) {
        EXPECT_NO_THROW(load_checkpoint(e.path)) << k;
      }
      remove_leftovers(real_fs(), run.path());
      for (const std::string& name : real_fs().list(run.path() + "/ckpt")) {
        EXPECT_TRUE(name.starts_with("step-0000000")) << name;
      }
    }
  }
}

TEST(Pruning, KeepsTheNewestOfWhichEveryByteVerifies) {
  const SavedRun run(1, 7);
  const std::string model = run.folder(7) + "/model.safetensors";
  flip(model, read_text(model).size() - 1);  // its manifest is fine
  set_pinned(real_fs(), run.folder(2), true);
  const Pruning p = plan_pruning(real_fs(), run.path(), {.keep = 2, .keep_every = 3});
  EXPECT_EQ(steps(p.removed), (std::vector<int64_t>{1, 4}));
  EXPECT_EQ(steps(p.kept), (std::vector<int64_t>{2, 3, 5, 6, 7}));
  ASSERT_EQ(p.damaged.size(), 1u);
  EXPECT_EQ(p.damaged[0].path, run.folder(7));
  EXPECT_EQ(steps(plan_pruning(real_fs(), run.path(), {.keep = 1}).kept),
            (std::vector<int64_t>{2, 6, 7}));
}

TEST(Pruning, WithoutAGoodCheckpointNothingIsRemoved) {
  const SavedRun run(1, 3);
  for (int64_t step = 1; step <= 3; ++step) flip(run.folder(step) + "/config.toml", 0);
  const std::string error =
      error_text<DataError>([&] { plan_pruning(real_fs(), run.path(), {.keep = 1}); });
  EXPECT_TRUE(error.starts_with(run.path() + ": no checkpoint of the run verifies; step-00000003"))
      << error;
  EXPECT_TRUE(error.ends_with("; nothing is removed")) << error;
}

TEST(Pruning, TheLastGoodOneAndPinnedOnesStay) {
  const SavedRun run(1, 3);
  const auto reason = [&](int64_t step) {
    return reason_to_keep(real_fs(), find_in_run(real_fs(), run.folder(step)));
  };
  EXPECT_EQ(reason(2), "");
  set_pinned(real_fs(), run.folder(2), true);
  EXPECT_EQ(reason(2),
            run.folder(2) + ": is pinned; keel ckpt pin --remove " + run.folder(2) + " first");
  set_pinned(real_fs(), run.folder(2), false);
  for (const int64_t step : {1, 3}) flip(run.folder(step) + "/config.toml", 0);
  EXPECT_EQ(reason(2),
            run.folder(2) + ": is the only checkpoint of the run that verifies, it stays");
  EXPECT_EQ(reason(3), "");
}

TEST(Leftovers, GoAndNothingElse) {
  const SavedRun run(7, 7);
  Fs& fs = real_fs();
  const std::string digits = "0123456789abcdef";
  fs.write_file(run.path() + "/ckpt/LATEST.tmp-" + digits, "x");
  for (const char* name : {"step-00000008.tmp-0123", ".trash-step-00000001-77", "mine"}) {
    fs.make_dir(join_path(run.path() + "/ckpt", name));
    fs.write_file(join_path(join_path(run.path() + "/ckpt", name), "f"), "x");
  }
  fs.make_dir(run.path() + "/samples");
  for (const std::string& name :
       {"config.toml.tmp-" + digits, "samples/s.txt.tmp-" + digits, std::string("notes.tmp-old"),
        std::string("samples/s.txt"), "x.tmp-" + digits + "0"}) {
    fs.write_file(join_path(run.path(), name), "x");
  }
  EXPECT_EQ(
      remove_leftovers(fs, run.path()),
      (std::vector<std::string>{
          run.path() + "/ckpt/.trash-step-00000001-77", run.path() + "/ckpt/LATEST.tmp-" + digits,
          run.path() + "/ckpt/step-00000008.tmp-0123", run.path() + "/config.toml.tmp-" + digits,
          run.path() + "/samples/s.txt.tmp-" + digits}));
  EXPECT_EQ(fs.list(run.path() + "/ckpt"), (std::vector<std::string>{"mine", "step-00000007"}));
  EXPECT_EQ(fs.list(run.path() + "/samples"), std::vector<std::string>{"s.txt"});
  EXPECT_TRUE(fs.exists(run.path() + "/notes.tmp-old"));
  EXPECT_TRUE(remove_leftovers(fs, run.path()).empty());
}

// Files whose manifest vouches for every byte, and that are wrong all the same.
TEST(BadCheckpoint, SafetensorsThatBreakTheFormat) {
  const SavedRun run(1, 1);
  const auto error = [&](const std::string& bytes) {
    replace_model(run.folder(1), bytes);
    const std::string text = error_text<DataError>([&] { load_checkpoint(run.folder(1)); });
    const std::string file = run.folder(1) + "/model.safetensors: ";
    return text.starts_with(file) ? text.substr(file.size()) : text;
  };
  const auto two = [](const std::string& a, const std::string& b) {
    return "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" + a +
           "},\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" + b + "}}";
  };
  EXPECT_EQ(error(safetensors_text(two("[0,4]", "[4,8]"), 8)), "no error");
  EXPECT_EQ(error(safetensors_text(two("[0,4]", "[2,6]"), 8)).substr(0, 40),
            "tensor \"b\": its data overlaps another's ");
  EXPECT_EQ(error(safetensors_text(two("[0,4]", "[6,10]"), 10)).substr(0, 30),
            "tensor \"b\": its data has a gap");
  EXPECT_EQ(error(safetensors_text(two("[0,4]", "[4,8]"), 9)), "1 bytes after the last tensor");
  EXPECT_EQ(error(safetensors_text(two("[0,4]", "[5,9]"), 8)),
            "tensor \"b\": data_offsets [5, 9] leave the file's 8 bytes of data");
  EXPECT_EQ(error(safetensors_text("{}", 0, 100'000'001)),
            "header of 100000001 bytes, the limit is 100000000");
  EXPECT_EQ(error(safetensors_text("{}", 0, 11)), "header of 11 bytes in a file of 10");
  EXPECT_EQ(error("short"), "5 bytes, a safetensors file has at least 8");
  EXPECT_EQ(error(safetensors_text(R"({"a":{},"a":{}})", 0)), "byte 11: key \"a\" appears twice");
  EXPECT_EQ(error(safetensors_text(std::string(100'000, '['), 0)),
            "byte 65: nested deeper than 64");
  EXPECT_NE(error(safetensors_text("{\"\xff\":{}}", 0)).find("UTF-8"), std::string::npos);
}

TEST(BadCheckpoint, ManifestsThatBreakTheFormat) {
  const SavedRun run(1, 2);
  const std::string manifest = run.folder(2) + "/MANIFEST.json";
  const auto reason = [&](const std::string& fields) {
    const std::string text = "{" + fields + ",";
    overwrite(manifest, text + "\"xxh3_128\":\"" + xxh3_hex(text) + "\"}\n");
    const NewestCheckpoint newest = load_newest_checkpoint(run.path());
    EXPECT_EQ(newest.found->step, 1);
    return newest.skipped.at(0).reason.substr(manifest.size() + 2);
  };
  EXPECT_EQ(reason(R"("format":2,"step":2)"), "format 2, this program reads format 1");
  EXPECT_EQ(reason(R"("format":1,"step":-2)"), "step -2 is negative");
  EXPECT_EQ(reason(R"("format":1,"step":2,"extra":3)"), "expected an object, found an integer");
  EXPECT_EQ(reason(R"("a":)" + std::string(100'000, '[')), "byte 69: nested deeper than 64");
  EXPECT_NE(reason("\"\xc0\xaf\":1").find("UTF-8"), std::string::npos);
  EXPECT_EQ(reason(R"("format":1,"step":2,"extra":{"a":1,"a":2})"),
            "byte 39: key \"a\" appears twice");
}

TEST(BadCheckpoint, TensorsUnlikeTheManifest) {
  const SavedRun run(1, 1);
  const std::string manifest = run.folder(1) + "/MANIFEST.json";
  const std::string good = read_text(manifest);
  const auto error = [&](const std::string& from, const std::string& to) {
    std::string text = good.substr(0, good.rfind("\"xxh3_128\""));
    text.replace(text.find(from), from.size(), to);
    overwrite(manifest, text + "\"xxh3_128\":\"" + xxh3_hex(text) + "\"}\n");
    return error_text<DataError>([&] { load_checkpoint(run.folder(1)); })
        .substr(run.folder(1).size() + 1);
  };
  const std::string name = R"("name":"w","dtype":"F32","shape":[5,8])";
  EXPECT_EQ(error(name, R"("name":"v","dtype":"F32","shape":[5,8])"),
            "model.safetensors: tensor \"w\" stands where the manifest has \"v\"");
  EXPECT_EQ(error(name, R"("name":"w","dtype":"I32","shape":[5,8])"),
            "model.safetensors: tensor \"w\" is F32 [5, 8], the manifest says I32 [5, 8]");
  EXPECT_EQ(error(name, R"("name":"w","dtype":"F32","shape":[40])"),
            "model.safetensors: tensor \"w\" is F32 [5, 8], the manifest says F32 [40]");
  EXPECT_EQ(
      error("{" + name, R"({"name":"x","dtype":"F32","shape":[0],"crc32c":"00000000"},{)" + name),
      "model.safetensors: tensor \"w\" stands where the manifest has \"x\"");
}

}  // namespace
}  // namespace keel
