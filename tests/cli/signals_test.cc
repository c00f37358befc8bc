// What a run does with signals and limits of time. Random instants: tools/kill_loop.py.
#include <gtest/gtest.h>

#include <cstdlib>

#include "io/json.h"
#include "run_keel.h"

namespace keel {
namespace {

const std::vector<std::string> kEndless = {"--set", "train.steps=100000000", "--set",
                                           "checkpoint.every=0"};

std::vector<std::string> with(std::vector<std::string> line, const std::vector<std::string>& more) {
  line.insert(line.end(), more.begin(), more.end());
  return line;
}

std::string log_of(const SmallRun& small) {
  return real_fs().read_file(small.file("run/log.txt"), kMaxTextBytes);
}

size_t count(const std::string& text, const std::string& what) {
  size_t n = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
  return n;
}

// Steps so long that the second signal comes while the first still waits for one to end.
class SecondSignal : public testing::TestWithParam<int> {};

TEST_P(SecondSignal, StopsAtOnce) {
  const SmallRun small;
  Running run(small.train_line("run", with(kEndless, {"--set", "train.accumulate=3000"})));
  ASSERT_TRUE(run.says("| loss ")) << run.err();
  run.send(GetParam());
  ::usleep(100'000);
  run.send(GetParam());
  const ProgramEnd o = run.wait();
  EXPECT_EQ(o.code, 128 + GetParam()) << o.err;
  const ProgramEnd more =
      keel({"resume", small.file("run"), "--set", "train.steps=1", "--set", "train.accumulate=1"});
  EXPECT_EQ(more.code, 0) << more.err;
}

INSTANTIATE_TEST_SUITE_P(Signals, SecondSignal, testing::Values(SIGINT, SIGTERM),
                         [](const auto& n) { return n.param == SIGINT ? "Sigint" : "Sigterm"; });

TEST(Signals, SigusrSavesAndTheRunGoesOn) {
  const SmallRun small;
  Running run(small.train_line("run", kEndless));
  ASSERT_TRUE(run.says("| loss ")) << run.err();
  run.send(SIGUSR1);
  ASSERT_TRUE(run.says("saved ")) << run.err();
  EXPECT_EQ(real_fs().list(small.file("run/ckpt")).size(), 1u);
  run.send(SIGTERM);
  EXPECT_EQ(run.wait().code, 75);
  EXPECT_EQ(real_fs().list(small.file("run/ckpt")).size(), 2u);
}

TEST(Signals, SighupSwitchesTheLinesOfEveryStepOnAndOff) {
  const SmallRun small;
  Running run(small.train_line("run", with(kEndless, {"--set", "log.every=1000000"})));
  ASSERT_TRUE(run.says("| loss ")) << run.err();
  run.send(SIGHUP);
  ASSERT_TRUE(run.says("SIGHUP: a line for every step, until the next one")) << run.err();
  ::usleep(100'000);
  run.send(SIGHUP);
  ASSERT_TRUE(run.says("SIGHUP: a line every 1000000 steps again")) << run.err();
  run.send(SIGINT);
  EXPECT_EQ(run.wait().code, 75);
  EXPECT_GT(count(log_of(small), "| loss "), 2u);
}

TEST(Signals, WhileTheTokenCacheIsBuiltNothingIsBegun) {
  const SmallRun small;
  std::string text;
  const std::string line = "{\"text\": \"" + std::string(200, 'x') + "\"}\n";
  while (text.size() < 100'000'000) text += line;
  real_fs().write_file(small.file("text.jsonl"), text);
  text = {};
  Surroundings around;
  const std::string cache = small.file("cache");
  around.environment = {{"KEEL_CACHE", cache}};
  Running run(small.train_line("run", {"--set", "data.kind=jsonl", "--set",
                                       "data.path=\"" + small.file("text.jsonl") + "\""}),
              around);
  for (int i = 0; i < 6000 && (!real_fs().exists(cache) || real_fs().list(cache).empty()); ++i) {
    ::usleep(1'000);
  }
  run.send(SIGTERM);
  const ProgramEnd o = run.wait();
  EXPECT_EQ(o.code, 75) << o.err;
  EXPECT_NE(o.err.find("keel: stopped before the first step, asked to stop; nothing has changed"),
            std::string::npos)
      << o.err;
  EXPECT_FALSE(real_fs().exists(small.file("run")));
  EXPECT_TRUE(real_fs().list(cache).empty());
}

TEST(Limits, MaxTimeSavesAndEndsByItself) {
  const SmallRun small;
  const ProgramEnd o = small.train("run", with(kEndless, {"--max-time", "2s", "--json"}));
  EXPECT_EQ(o.code, 75) << o.err;
  EXPECT_NE(o.err.find("time: "), std::string::npos) << o.err;
  const Json j = parse_json(o.last_line(), "output");
  EXPECT_EQ(j.at("reason").as_string(), "the time of --max-time is nearly up");
  EXPECT_EQ(j.at("state").as_string().size(), 32u);
  const ProgramEnd refused = small.train("other", {"--max-time", "3x"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_EQ(refused.err,
            "keel: --max-time: \"3x\" is not a time such as 3h30m, 45m, 90s or 1d12h\n");
  EXPECT_FALSE(real_fs().exists(small.file("other")));
}

TEST(Limits, TheEndOfASlurmJobIsOneToo) {
  const SmallRun small;
  Surroundings around;
  around.environment = {{"SLURM_JOB_END_TIME", std::to_string(::time(nullptr) + 3)}};
  const ProgramEnd o = small.train("run", kEndless, around);
  EXPECT_EQ(o.code, 75) << o.err;
  EXPECT_NE(o.err.find("the time of SLURM_JOB_END_TIME is nearly up"), std::string::npos) << o.err;
  around.environment = {{"SLURM_JOB_END_TIME", "1000"}};
  const ProgramEnd past = small.train("past", {}, around);
  EXPECT_EQ(past.code, 0) << past.err;
  EXPECT_NE(past.err.find("warning: SLURM_JOB_END_TIME is past: no heed is paid to it"),
            std::string::npos)
      << past.err;
}

TEST(Resume, SaysStepAgeAndVerifiedState) {
  const SmallRun small;
  const ProgramEnd first = small.train("run", {"--json"});
  const std::string state = parse_json(first.last_line(), "output").at("state").as_string();
  const ProgramEnd o = keel({"resume", small.file("run"), "--set", "train.steps=5"});
  EXPECT_EQ(o.code, 0) << o.err;
  EXPECT_NE(
      o.err.find("resuming at step 4 from " + small.file("run/ckpt/step-00000004") + ", saved "),
      std::string::npos)
      << o.err;
  EXPECT_NE(o.err.find(" ago, every byte verified, state xxh3 " + state), std::string::npos)
      << o.err;
}

TEST(Resume, ChangedDataIsRefusedWithThree) {
  const SmallRun small;
  ASSERT_EQ(small.train("run", {"--quiet"}).code, 0);
  const std::string path = small.file("text.txt");
  overwrite(path, real_fs().read_file(path, kMaxTextBytes) + "more");
  const std::vector<std::string> line = {"resume", small.file("run"), "--quiet", "--set",
                                         "train.steps=5"};
  const ProgramEnd refused = keel(line);
  EXPECT_EQ(refused.code, 3) << refused.err;
  EXPECT_NE(refused.err.find(path + ": "), std::string::npos) << refused.err;
  EXPECT_NE(refused.err.find("--changed-data"), std::string::npos) << refused.err;
  const ProgramEnd accepted = keel(with(line, {"--changed-data"}));
  EXPECT_EQ(accepted.code, 0) << accepted.err;
  EXPECT_NE(accepted.err.find("bits will differ from those of the unbroken run"), std::string::npos)
      << accepted.err;
}

// Metrics and log are for people to look at, never a reason to stop.
TEST(Output, AStoreThatIsDamagedIsLeftAndMetricsGoOnBesideIt) {
  const SmallRun small;
  ASSERT_EQ(small.train("run", {"--quiet"}).code, 0);
  overwrite(small.file("run/metrics.db"), std::string(9000, 'x'));
  const ProgramEnd o = keel({"resume", small.file("run"), "--quiet", "--set", "train.steps=6"});
  EXPECT_EQ(o.code, 0) << o.err;
  EXPECT_NE(o.err.find("file is not a database; metrics go on in metrics-2.db"), std::string::npos)
      << o.err;
  const Json listed = parse_json(keel({"runs", "ls", small.path(), "--json"}).last_line(), "runs");
  EXPECT_EQ(listed.at("runs").as_array()[0].at("steps").as_int(), 6);
  EXPECT_EQ(keel({"report", small.file("run"), "-o", small.file("r.html")}).code, 0);
}

TEST(Output, AScreenThatCannotBeWrittenIsNoReasonToStop) {
  const SmallRun small;
  const std::string line = std::string(KEEL_PROGRAM) + " train " + small.file("run.toml") +
                           " --out " + small.file("run") + " 2>/dev/full >" + small.file("out");
  EXPECT_EQ(std::system(line.c_str()), 0);
  EXPECT_EQ(real_fs().read_file(small.file("out"), 999), small.file("run") + "\n");
}

}  // namespace
}  // namespace keel
