// keel ckpt, and what the other commands do with checkpoints that are not as they should be.
#include <gtest/gtest.h>

#include "io/json.h"
#include "run_keel.h"

namespace keel {
namespace {

// A run of 8 steps with checkpoints at 2, 4, 6 and 8.
class Ckpt : public testing::Test {
 protected:
  void SetUp() override { train("run"); }
  void train(const std::string& name, const std::string& set = "train.seed=0") {
    const ProgramEnd o = small_.train(
        name, {"--quiet", "--set", "train.steps=8", "--set", "checkpoint={every=2, keep=4}",
               "--set", "sample.tokens=0", "--set", set});
    ASSERT_EQ(o.code, 0) << o.err;
  }
  std::string run() const { return small_.file("run"); }
  std::string folder(int step) const { return run() + "/ckpt/step-0000000" + std::to_string(step); }
  std::vector<std::string> steps() const {
    std::vector<std::string> names = real_fs().list(run() + "/ckpt");
    std::erase_if(names, [](const std::string& name) { return !name.starts_with("step-"); });
    return names;
  }
  // One bit of the last byte of a checkpoint's weights.
  std::string damage(int step) const {
    const std::string file = folder(step) + "/model.safetensors";
    std::string bytes = real_fs().read_file(file, kMaxTextBytes);
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    overwrite(file, bytes);
    return file;
  }
  // Exit code, and an error alone.
  void refused(std::vector<std::string> line, int code, const std::string& text) {
    line.insert(line.begin(), "ckpt");
    const ProgramEnd o = keel(line);
    EXPECT_EQ(o.code, code) << o.err;
    EXPECT_NE(o.err.find("keel: " + text), std::string::npos) << o.err << "lacks\n" << text;
    EXPECT_EQ(o.out, "");
  }

  SmallRun small_;
};

TEST_F(Ckpt, VerifySaysYesOrNamesFileAndTensor) {
  for (const std::string& from : {run(), folder(8)}) {
    const ProgramEnd o = keel({"ckpt", "verify", from});
    EXPECT_EQ(o.code, 0) << o.err;
    EXPECT_TRUE(o.out.starts_with(folder(8) + ": verified, step 8, ")) << o.out;
  }
  const Json good = last_json(keel({"ckpt", "verify", run(), "--json"}));
  EXPECT_EQ(good.at("path").as_string(), folder(8));
  EXPECT_EQ(good.at("step").as_int(), 8);
  EXPECT_TRUE(good.at("verified").as_bool());
  EXPECT_TRUE(good.at("reason").is_null() && good.at("file").is_null());
  EXPECT_EQ(good.at("xxh3_128").as_string().size(), 32u);

  const std::string file = damage(8);
  refused({"verify", run()}, 3, file + ": damaged, tensor \"");
  const ProgramEnd o = keel({"ckpt", "verify", run(), "--json"});
  EXPECT_EQ(o.code, 3);
  const Json bad = last_json(o);
  EXPECT_FALSE(bad.at("verified").as_bool());
  EXPECT_EQ(bad.at("file").as_string(), file);
  const std::string tensor = bad.at("tensor").as_string();
  EXPECT_NE(o.err.find("tensor \"" + tensor + "\" does not have its checksum"), std::string::npos)
      << o.err;
  EXPECT_EQ(keel({"ckpt", "verify", folder(6)}).code, 0);
}

TEST_F(Ckpt, VerifyOfWhatIsNotThere) {
  refused({"verify", small_.file("no")}, 3, small_.file("no") + ": no such run or checkpoint");
  refused({"verify", small_.file("text.txt")}, 3, "");
  real_fs().remove_tree(run() + "/ckpt");
  refused({"verify", run()}, 3, run() + ": the run has no checkpoint");
  const ProgramEnd o = keel({"ckpt", "verify", run(), "--json"});
  EXPECT_EQ(o.code, 3);
  EXPECT_EQ(last_json(o).at("reason").as_string(), run() + ": the run has no checkpoint");
}

TEST_F(Ckpt, LsShowsEachWithItsVerdict) {
  const std::string file = damage(4);
  ASSERT_EQ(keel({"ckpt", "pin", folder(2)}).code, 0);
  const ProgramEnd text = keel({"ckpt", "ls", run()});
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_NE(text.out.find("DAMAGED: " + file), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("pinned  verified"), std::string::npos) << text.out;
  const Json j = last_json(keel({"ckpt", "ls", run(), "--json"}));
  EXPECT_EQ(j.at("run").as_string(), run());
  const Json::Array& list = j.at("checkpoints").as_array();
  ASSERT_EQ(list.size(), 4u);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(list[i].at("step").as_int(), static_cast<int64_t>(2 * i + 2));
    EXPECT_EQ(list[i].at("path").as_string(), folder(static_cast<int>(2 * i + 2)));
    EXPECT_GT(list[i].at("bytes").as_int(), 10'000);
    EXPECT_EQ(list[i].at("pinned").as_bool(), i == 0);
    EXPECT_EQ(list[i].at("verified").as_bool(), i != 1);
    EXPECT_GT(list[i].at("loss").as_double(), 0);
    EXPECT_GT(list[i].at("grad_norm").as_double(), 0);
  }
  EXPECT_TRUE(list[1].at("reason").as_string().starts_with(file + ": damaged"));
  const Json quick = last_json(keel({"ckpt", "ls", run(), "--json", "--quick"}));
  EXPECT_TRUE(quick.at("checkpoints").as_array()[1].at("verified").is_null());
  refused({"ls", small_.file("no")}, 3, small_.file("no") + ": there is no such run");
  refused({"ls", folder(2)}, 3, folder(2) + ": not a run");
}

TEST_F(Ckpt, DiffOfEqualAndOfDifferentState) {
  train("same");
  const ProgramEnd equal = keel({"ckpt", "diff", run(), small_.file("same")});
  EXPECT_EQ(equal.code, 0) << equal.err;
  EXPECT_TRUE(equal.out.starts_with("equal: ")) << equal.out;
  const Json e = last_json(keel({"ckpt", "diff", folder(8), small_.file("same"), "--json"}));
  EXPECT_TRUE(e.at("equal").as_bool());
  EXPECT_TRUE(e.at("first").is_null());

  const ProgramEnd other = keel({"ckpt", "diff", run(), folder(6), "--json"});
  EXPECT_EQ(other.code, 1) << other.err;
  const Json d = last_json(other);
  EXPECT_FALSE(d.at("equal").as_bool());
  EXPECT_EQ(d.at("a").as_string(), folder(8));
  EXPECT_EQ(d.at("b").as_string(), folder(6));
  const Json& first = d.at("first");
  EXPECT_EQ(first.at("file").as_string(), "model.safetensors");
  EXPECT_EQ(first.at("element").as_int(), 0);
  EXPECT_NE(first.at("a"), first.at("b"));
  const ProgramEnd text = keel({"ckpt", "diff", run(), folder(6)});
  EXPECT_EQ(text.code, 1);
  EXPECT_TRUE(text.out.starts_with("model.safetensors: tensor \"" + first.at("name").as_string() +
                                   "\": element 0 ["))
      << text.out;
  EXPECT_EQ(text.err, "");
  const std::string file = damage(8);
  refused({"diff", run(), folder(6)}, 3, file + ": damaged");
  refused({"diff", folder(6), small_.file("no")}, 3, small_.file("no"));
}

TEST_F(Ckpt, PruneKeepsTheNewestGoodOnes) {
  damage(8);
  ASSERT_EQ(keel({"ckpt", "pin", folder(2)}).code, 0);
  const std::string left = run() + "/ckpt/step-00000009.tmp-0123456789abcdef";
  real_fs().make_dir(left);
  const ProgramEnd dry = keel({"ckpt", "prune", run(), "--keep", "1", "--dry-run"});
  EXPECT_EQ(dry.out, "would remove  " + folder(4) + "\n");
  EXPECT_EQ(steps().size(), 6u);
  const ProgramEnd o = keel({"ckpt", "prune", run(), "--keep", "1", "--json"});
  EXPECT_EQ(o.code, 0) << o.err;
  EXPECT_NE(o.err.find("note: skipped " + folder(8) + ": "), std::string::npos) << o.err;
  const Json j = last_json(o);
  EXPECT_FALSE(j.at("dry_run").as_bool());
  EXPECT_EQ(j.at("removed"), Json::array().push(folder(4)).push(left));
  EXPECT_EQ(j.at("kept"), Json::array().push(folder(2)).push(folder(6)).push(folder(8)));
  EXPECT_EQ(steps(), (std::vector<std::string>{"step-00000002", "step-00000002.pin",
                                               "step-00000006", "step-00000008"}));
  // By the run's own config, which keeps 4, nothing more is to be done.
  EXPECT_EQ(keel({"ckpt", "prune", run()}).out, "nothing to remove\n");
}

TEST_F(Ckpt, PruneNeverRemovesTheLastGoodOne) {
  for (const int step : {2, 4, 8}) damage(step);
  refused({"prune", folder(6)}, 2,
          folder(6) + ": is the only checkpoint of the run that verifies, it stays");
  refused({"prune", run(), "--keep", "0"}, 2,
          "--keep: must be at least 1, is 0: the last good checkpoint is never removed");
  EXPECT_EQ(steps().size(), 4u);
  EXPECT_EQ(keel({"ckpt", "prune", run(), "--keep", "1"}).code, 0);
  EXPECT_EQ(steps(), (std::vector<std::string>{"step-00000006", "step-00000008"}));
  EXPECT_EQ(keel({"ckpt", "prune", folder(8)}).out, "removed  " + folder(8) + "\n");
  damage(6);
  refused({"prune", run(), "--keep", "1"}, 3, run() + ": no checkpoint of the run verifies; ");
  EXPECT_EQ(steps(), std::vector<std::string>{"step-00000006"});
}

TEST_F(Ckpt, PruneRefusals) {
  refused({"prune", folder(2), "--keep", "1"}, 2, "--keep and --keep-every are for a run");
  refused({"prune", run(), "--keep-every", "-1"}, 2, "--keep-every: must be at least 0, is -1");
  refused({"prune", small_.file("no")}, 3, small_.file("no") + ": no such run or checkpoint");
  refused({"prune", small_.path()}, 3, small_.path() + ": not a checkpoint of a run");
  ASSERT_EQ(keel({"ckpt", "pin", folder(2)}).code, 0);
  refused({"prune", folder(2)}, 2, folder(2) + ": is pinned; keel ckpt pin --remove ");
  EXPECT_EQ(steps().size(), 5u);
}

TEST_F(Ckpt, PinAndBack) {
  EXPECT_EQ(keel({"ckpt", "pin", run()}).out, folder(8) + ": verified and pinned\n");
  const Json j = last_json(keel({"ckpt", "pin", folder(4), "--json"}));
  EXPECT_EQ(j.at("step").as_int(), 4);
  EXPECT_TRUE(j.at("pinned").as_bool());
  EXPECT_EQ(steps().size(), 6u);
  EXPECT_EQ(keel({"ckpt", "pin", folder(4), "--remove"}).out, folder(4) + ": no longer pinned\n");
  EXPECT_EQ(steps().size(), 5u);
  const std::string file = damage(2);
  refused({"pin", folder(2)}, 3, file + ": damaged");
  refused({"pin", small_.path()}, 3, small_.path() + ": not a checkpoint of a run");
}

// The newest that verifies is used, the skipped ones are named.
TEST_F(Ckpt, EveryUseFallsBackAndNamesWhatItPassedOver) {
  const std::string note = "note: skipped " + folder(8) + ": " + damage(8) + ": damaged, tensor \"";
  const std::vector<std::vector<std::string>> uses = {
      {"eval", run(), "--data", small_.file("text.txt")},
      {"generate", run(), "-p", "x", "-n", "2"},
      {"data", "show", run(), "--step", "1"},
      small_.train_line("new", {"--set", "train.init=\"" + run() + "\""}),
      {"resume", run()}};
  for (const std::vector<std::string>& line : uses) {
    const ProgramEnd o = keel(line);
    EXPECT_EQ(o.code, 0) << o.err;
    EXPECT_NE(o.err.find(note), std::string::npos) << line[0] << ": " << o.err;
  }
  // Resume has trained from 6 on, and saved 8 again.
  EXPECT_EQ(keel({"ckpt", "verify", run()}).code, 0);
}

TEST_F(Ckpt, AFinishedRunIsNotRewrittenByChangedKeys) {
  const std::string before = real_fs().read_file(run() + "/config.toml", kMaxTextBytes);
  const ProgramEnd o = keel({"resume", run(), "--set", "optim.lr=0.5"});
  EXPECT_EQ(o.code, 0) << o.err;
  EXPECT_NE(o.err.find("the run is finished: 8 of 8 steps are done"), std::string::npos) << o.err;
  EXPECT_EQ(real_fs().read_file(run() + "/config.toml", kMaxTextBytes), before);
}

// The checkpoint of another model under this run's name.
TEST_F(Ckpt, CheckpointOfAnotherModel) {
  train("other", "model.dim=64");
  real_fs().remove_tree(folder(8));
  real_fs().rename(small_.file("other/ckpt/step-00000008"), folder(8));
  const ProgramEnd o = keel({"resume", run()});
  EXPECT_EQ(o.code, 2) << o.err;
  EXPECT_NE(o.err.find(folder(8) + " does not fit the changed config: its "), std::string::npos)
      << o.err;
  EXPECT_NE(o.err.find("model.dim = 32 (was 64)"), std::string::npos) << o.err;
}

// Everything on a file system that cannot be written: what only reads works, the rest is one
// message with 74.
TEST_F(Ckpt, ReadOnlyFileSystem) {
  Surroundings around;
  around.read_only = small_.path();
  if (!can_mount_read_only(small_.path())) GTEST_SKIP() << "no mount namespaces here";
  const std::vector<std::vector<std::string>> reads = {
      {"ckpt", "ls", run()},
      {"ckpt", "verify", run()},
      {"ckpt", "diff", run(), folder(8)},
      {"ckpt", "prune", run(), "--keep", "1", "--dry-run"},
      {"eval", run(), "--data", small_.file("text.txt")},
      {"generate", run(), "-p", "x", "-n", "2"}};
  for (const auto& line : reads) {
    const ProgramEnd o = keel(line, around);
    EXPECT_EQ(o.code, 0) << line[0] << " " << line[1] << ": " << o.err;
  }
  const std::vector<std::vector<std::string>> writes = {{"resume", run()},
                                                        {"resume", run(), "--set", "train.steps=9"},
                                                        {"ckpt", "prune", run(), "--keep", "1"},
                                                        {"ckpt", "prune", folder(2)},
                                                        {"ckpt", "pin", folder(2)},
                                                        small_.train_line("new")};
  for (const auto& line : writes) {
    const ProgramEnd o = keel(line, around);
    EXPECT_EQ(o.code, 74) << line[0] << " " << line[1] << ": " << o.err;
    EXPECT_NE(o.err.find("keel: " + small_.path()), std::string::npos) << o.err;
    EXPECT_NE(o.err.find("Read-only file system\n"), std::string::npos) << o.err;
    EXPECT_EQ(o.out, "");
  }
  EXPECT_EQ(steps().size(), 4u);
  EXPECT_FALSE(real_fs().exists(small_.file("new")));
}

TEST_F(Ckpt, ResumeOfWhatIsNoRun) {
  for (const std::string& path : {folder(8), small_.path(), small_.file("text.txt")}) {
    const ProgramEnd o = keel({"resume", path});
    EXPECT_EQ(o.code, 3) << o.err;
    EXPECT_NE(o.err.find("keel: " + path + ": not a run"), std::string::npos) << o.err;
    EXPECT_EQ(o.out, "");
  }
  EXPECT_FALSE(real_fs().exists(folder(8) + "/lock"));
}

}  // namespace
}  // namespace keel
