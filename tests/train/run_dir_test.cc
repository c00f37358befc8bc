#include "train/run_dir.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "io/error_text.h"
#include "io/faulty_fs.h"
#include "io/temp_dir.h"
#include "train/environment.h"

namespace keel {
namespace {

const std::vector<NamedText> kFiles{
    {"config.toml", "[train]\n"}, {"config.origin.json", "{}"}, {"env.json", "{}"}};

TEST(RunDir, IsWholeWhenItAppears) {
  const TempDir dir;
  const std::string path = dir / "a b/run";
  const RunDir run = RunDir::create(real_fs(), path, kFiles);
  EXPECT_EQ(run.path(), path);
  EXPECT_EQ(real_fs().list(path),
            (std::vector<std::string>{"RESUME.md", "ckpt", "config.origin.json", "config.toml",
                                      "env.json", "events", "lock", "samples"}));
  EXPECT_EQ(real_fs().list(dir / "a b").size(), 1u);
  EXPECT_NE(real_fs().read_file(path + "/RESUME.md", 9999).find("keel resume '" + path + "'\n"),
            std::string::npos);
  EXPECT_TRUE(is_run(real_fs(), path));
}

TEST(RunDir, AnExistingFolderIsRefused) {
  const TempDir dir;
  EXPECT_EQ(error_text<ConfigError>([&] { RunDir::create(real_fs(), dir.path(), kFiles); }),
            "--out " + dir.path() +
                ": exists already; name a folder that does not, or go on with it by: keel resume " +
                dir.path());
}

TEST(RunDir, EveryOperationFailsAndNothingStays) {
  const TempDir dir;
  FaultyFs counting;
  RunDir::create(counting, dir / "first", kFiles);
  for (int k = 0; k < counting.operations - 1; ++k) {
    FaultyFs fs;
    fs.at = k;
    EXPECT_THROW(RunDir::create(fs, dir / "run", kFiles), IoError) << k;
    EXPECT_EQ(real_fs().list(dir.path()), std::vector<std::string>{"first"}) << k;
  }
}

TEST(RunDir, AParentThatIsAFileIsAnIoError) {
  const TempDir dir;
  real_fs().write_file(dir / "file", "");
  const std::string text =
      error_text<IoError>([&] { RunDir::create(real_fs(), dir / "file/run", kFiles); });
  EXPECT_TRUE(text.starts_with((dir / "file/run.tmp-"))) << text;
  EXPECT_TRUE(text.ends_with(": cannot make the folder: Not a directory")) << text;
}

TEST(RunDir, OpeningWhatIsNoRun) {
  const TempDir dir;
  const auto error = [](const std::string& path) {
    return error_text<DataError>([&] { RunDir::open(real_fs(), path); });
  };
  EXPECT_EQ(error(dir / "none"), (dir / "none") + ": there is no such run");
  EXPECT_EQ(error(dir.path()), dir.path() + ": not a run, it has no config.toml");
  real_fs().make_dirs(dir / "run/ckpt/step-00000004");
  const std::string checkpoint = dir / "run/ckpt/step-00000004";
  real_fs().write_file(checkpoint + "/config.toml", "");
  EXPECT_EQ(error(checkpoint),
            checkpoint + ": not a run but a checkpoint; name the run it lies in");
  real_fs().make_dirs(dir / "step-00000004/ckpt");
  real_fs().write_file(dir / "step-00000004/config.toml", "");
  EXPECT_TRUE(is_run(real_fs(), dir / "step-00000004"));
  real_fs().make_dir(dir / "x.tmp-1");
  real_fs().write_file(dir / "x.tmp-1/config.toml", "");
  EXPECT_FALSE(is_run(real_fs(), dir / "x.tmp-1"));
}

TEST(RunDir, AnotherProcessIsNamedAndADeadOneGivesTheRunUp) {
  const TempDir dir;
  const std::string path = dir / "run";
  RunDir::create(real_fs(), path, kFiles);
  int ready[2], done[2];
  ASSERT_EQ(::pipe(ready) | ::pipe(done), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    char c = 0;
    const RunDir mine = RunDir::open(real_fs(), path);
    const bool told = ::write(ready[1], &c, 1) == 1;
    const bool asked = ::read(done[0], &c, 1) == 1;
    ::_exit(told && asked ? 0 : 1);
  }
  char c = 0;
  ASSERT_EQ(::read(ready[0], &c, 1), 1);
  EXPECT_EQ(
      error_text<ConfigError>([&] { RunDir::open(real_fs(), path); }),
      "run " + path + " is in use by process " + std::to_string(child) + " on host " + host_name());
  ASSERT_EQ(::write(done[1], &c, 1), 1);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_NO_THROW(RunDir::open(real_fs(), path));
  for (const int fd : {ready[0], ready[1], done[0], done[1]}) ::close(fd);
}

TEST(RunDir, TheLockIsHeldFromTheCreationOn) {
  const TempDir dir;
  const RunDir run = RunDir::create(real_fs(), dir / "run", kFiles);
  EXPECT_THROW(RunDir::open(real_fs(), dir / "run"), ConfigError);
}

// A process that is killed while it makes a run leaves a folder whose lock nobody holds.
TEST(RunDir, HalfMadeRunsOfDeadProcessesGo) {
  const TempDir dir;
  const std::string digits = "0123456789abcdef";
  const auto make = [&](const std::string& name, const char* owner) {
    real_fs().make_dir(dir / name);
    real_fs().write_file((dir / name) + "/lock", owner);
    real_fs().write_file((dir / name) + "/config.toml", "");
  };
  make("dead.tmp-" + digits, "process 1 on host a");
  make("young.tmp-" + digits, "");  // its owner is about to take the lock
  make("alive.tmp-" + digits, "");
  make("whole", "process 1 on host a");
  make("mine.tmp-old", "process 1 on host a");
  real_fs().make_dir(dir / ("bare.tmp-" + digits));
  const RunLock alive(dir / ("alive.tmp-" + digits));
  EXPECT_EQ(remove_dead_runs(real_fs(), dir.path()),
            std::vector<std::string>{dir / ("dead.tmp-" + digits)});
  EXPECT_EQ(real_fs().list(dir.path()),
            (std::vector<std::string>{"alive.tmp-" + digits, "bare.tmp-" + digits, "mine.tmp-old",
                                      "whole", "young.tmp-" + digits}));
  EXPECT_TRUE(remove_dead_runs(real_fs(), dir / "none").empty());
}

TEST(RunDir, DefaultNames) {
  const std::string name = default_run_path("configs/my tiny.v2.toml", 1'700'000'000);
  EXPECT_EQ(name.substr(0, 5), "runs/");
  EXPECT_EQ(name.substr(20), "-my-tiny.v2");
  EXPECT_EQ(name[13], '-');
  EXPECT_EQ(default_run_path("plain", 0).substr(20), "-plain");
}

TEST(RunDir, ShellQuoting) {
  EXPECT_EQ(shell_quote("runs/a-1.x"), "runs/a-1.x");
  EXPECT_EQ(shell_quote("a b"), "'a b'");
  EXPECT_EQ(shell_quote("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_quote(""), "''");
}

TEST(Environment, SaysWhatTheRunWasMadeWith) {
  const Json env = describe_environment("2.6.3", 2);
  EXPECT_EQ(env.at("bits").at("onednn").as_string(), "2.6.3");
  EXPECT_EQ(env.at("threads").as_int(), 2);
  EXPECT_EQ(env.at("host").as_string(), host_name());
  EXPECT_GT(env.at("cores").as_int(), 0);
  EXPECT_FALSE(env.at("bits").at("compiler").as_string().empty());
  EXPECT_FALSE(env.at("bits").at("instruction_set").as_string().empty());
  EXPECT_EQ(parse_json(env.dump(), "env.json"), env) << env.dump();
}

TEST(Environment, NamesTheDifferencesThatCanChangeBits) {
  const Json then = describe_environment("2.6.3", 2);
  EXPECT_TRUE(environment_differences(then, describe_environment("2.6.3", 1)).empty());
  EXPECT_EQ(environment_differences(then, describe_environment("3.0.0", 2)),
            std::vector<std::string>{"onednn: 2.6.3, now 3.0.0"});
  ASSERT_FALSE(environment_differences(Json::object(), then).empty());
}

TEST(Environment, MemoryThatIsAvailableIsPartOfAll) {
  EXPECT_GT(memory_total_bytes(), 0u);
  EXPECT_GT(memory_available_bytes(), 0u);
  EXPECT_LE(memory_available_bytes(), memory_total_bytes());
}

}  // namespace
}  // namespace keel
