// Runs from the command line: what they print, leave behind and exit with.
#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "documented_json.h"
#include "io/json.h"
#include "run_keel.h"
#include "train/metrics_log.h"

namespace keel {
namespace {

Surroundings in(const std::string& folder) {
  Surroundings around;
  around.folder = folder;
  return around;
}

TEST(Train, LeavesARunThatExplainsItself) {
  const SmallRun small;
  const ProgramEnd o = small.train("run", {"--json", "--set", "eval.every=2"});
  ASSERT_EQ(o.code, 0) << o.err;
  const Json j = last_json(o);
  expect_documented(j, "train");
  EXPECT_EQ(j.at("run").as_string(), small.file("run"));
  EXPECT_EQ(j.at("steps").as_int(), 4);
  EXPECT_EQ(j.at("tokens").as_int(), 4 * 4 * 32);
  EXPECT_GT(j.at("val_loss").as_double(), 1.0);
  EXPECT_GT(j.at("train_loss").as_double(), 1.0);
  EXPECT_GT(j.at("tokens_per_second").as_double(), 0.0);
  EXPECT_FALSE(j.at("diverged").as_bool());
  EXPECT_TRUE(j.at("reason").is_null());
  for (const char* name : {"config.toml", "config.origin.json", "env.json", "metrics.db", "log.txt",
                           "report.html", "RESUME.md", "samples/step-00000002.txt",
                           "samples/step-00000004.txt", "ckpt/step-00000004/MANIFEST.json"}) {
    EXPECT_TRUE(real_fs().exists(join_path(small.file("run"), name))) << name;
  }
  const std::string log = real_fs().read_file(small.file("run/log.txt"), kMaxTextBytes);
  for (const char* part : {"train.batch", "parameters", "4/4 100%", "validation loss", "saved"}) {
    EXPECT_NE(log.find(part), std::string::npos) << part << " in " << log;
    EXPECT_NE(o.err.find(part), std::string::npos) << part << " in " << o.err;
  }
}

TEST(Train, StandardOutputHoldsTheRunAlone) {
  const SmallRun small;
  const ProgramEnd o = small.train("run", {"--quiet"});
  EXPECT_EQ(o.out, small.file("run") + "\n");
  EXPECT_EQ(o.err, "");
}

TEST(Train, NamesARunByTimeAndConfig) {
  const SmallRun small;
  const ProgramEnd o = keel({"train", "run.toml", "--set=train.steps=1"}, in(small.path()));
  ASSERT_EQ(o.code, 0) << o.err;
  EXPECT_TRUE(o.last_line().starts_with("runs/20")) << o.out;
  EXPECT_TRUE(o.last_line().ends_with("-run")) << o.out;
  EXPECT_TRUE(real_fs().exists(join_path(small.path(), o.last_line() + "/config.toml")));
}

TEST(Train, RunsThatBeginInOneSecondHaveNamesOfTheirOwn) {
  const SmallRun small;
  std::vector<std::unique_ptr<Running>> runs;
  for (int i = 0; i < 4; ++i) {
    runs.push_back(std::make_unique<Running>(
        std::vector<std::string>{"train", "run.toml", "--set=train.steps=1"}, in(small.path())));
  }
  std::set<std::string> names;
  for (const auto& run : runs) {
    const ProgramEnd o = run->wait();
    EXPECT_EQ(o.code, 0) << o.err;
    names.insert(o.last_line());
  }
  EXPECT_EQ(names.size(), runs.size());
}

TEST(Train, ResumeOfAFinishedRunSaysSo) {
  const SmallRun small;
  const Json first = last_json(small.train("run", {"--json"}));
  const ProgramEnd again = keel({"resume", small.file("run"), "--json"});
  EXPECT_EQ(again.code, 0);
  EXPECT_NE(again.err.find("the run is finished: 4 of 4 steps are done"), std::string::npos)
      << again.err;
  EXPECT_EQ(last_json(again).at("val_loss"), first.at("val_loss"));
  EXPECT_EQ(last_json(again).at("train_loss"), first.at("train_loss"));

  const ProgramEnd more = keel({"resume", small.file("run"), "--json", "--set", "train.steps=6"});
  EXPECT_EQ(more.code, 0) << more.err;
  EXPECT_EQ(last_json(more).at("steps").as_int(), 6);
}

TEST(Train, CtrlCSavesAndSaysHowToGoOn) {
  const SmallRun small;
  Running run(small.train_line("run", {"--json", "--set", "train.steps=100000000"}));
  ASSERT_TRUE(run.says("| loss ")) << run.err();
  run.send(SIGINT);
  const ProgramEnd o = run.wait();
  EXPECT_EQ(o.code, 75) << o.err;
  EXPECT_NE(o.err.find("everything is saved; go on with: keel resume " + small.file("run")),
            std::string::npos)
      << o.err;
  const Json j = last_json(o);
  expect_documented(j, "train");
  EXPECT_FALSE(j.at("diverged").as_bool());
  const int64_t steps = j.at("steps").as_int();
  const ProgramEnd more = keel(
      {"resume", small.file("run"), "--json", "--set", "train.steps=" + std::to_string(steps + 2)});
  EXPECT_EQ(more.code, 0) << more.err;
  EXPECT_NE(more.err.find("resuming at step " + std::to_string(steps)), std::string::npos)
      << more.err;
}

TEST(Train, TerminationSavesToo) {
  const SmallRun small;
  Running run(small.train_line("run", {"--set", "train.steps=100000000"}));
  ASSERT_TRUE(run.says("| loss ")) << run.err();
  run.send(SIGTERM);
  EXPECT_EQ(run.wait().code, 75);
  EXPECT_EQ(real_fs().list(small.file("run/ckpt")).size(), 1u);
}

TEST(Train, ALossThatIsNotFiniteEndsWithTwentyAndTheStep) {
  const SmallRun small;
  const ProgramEnd o =
      small.train("run", {"--json", "--set", "optim.lr=1e30", "--set", "optim.weight_decay=1e30"});
  EXPECT_EQ(o.code, 20) << o.err;
  const Json j = last_json(o);
  expect_documented(j, "train");
  EXPECT_TRUE(j.at("diverged").as_bool());
  EXPECT_TRUE(j.at("val_loss").is_null());
  EXPECT_NE(j.at("reason").as_string().find("in step 2"), std::string::npos) << o.last_line();
  EXPECT_NE(o.err.find("keel: diverged: the "), std::string::npos) << o.err;
  EXPECT_NE(o.err.find("; no checkpoint was made yet, a lower optim.lr or a longer schedule.warmup "
                       "may help\n"),
            std::string::npos)
      << o.err;
  EXPECT_TRUE(real_fs().list(small.file("run/ckpt")).empty());
}

TEST(Train, ACheckpointOutlivesADivergence) {
  const SmallRun small;
  ASSERT_EQ(small.train("run", {"--set", "train.steps=2"}).code, 0);
  const ProgramEnd o = keel({"resume", small.file("run"), "--set", "train.steps=4", "--set",
                             "optim.lr=1e30", "--set", "optim.weight_decay=1e30"});
  EXPECT_EQ(o.code, 20) << o.err;
  EXPECT_NE(o.err.find("; the last checkpoint stands, a lower optim.lr "), std::string::npos)
      << o.err;
  EXPECT_TRUE(real_fs().exists(small.file("run/ckpt/step-00000002")));
}

// A last update may ruin the model though its loss and its gradient were finite.
TEST(Train, AValidationLossThatIsNotFiniteEndsWithTwentyToo) {
  const SmallRun small;
  const ProgramEnd o =
      small.train("run", {"--json", "--set", "optim.lr=1e18", "--set", "clip.norm=0", "--set",
                          "train.steps=1", "--set", "schedule.kind=constant"});
  EXPECT_EQ(o.code, 20) << o.err;
  const Json j = last_json(o);
  EXPECT_TRUE(j.at("diverged").as_bool());
  EXPECT_TRUE(j.at("val_loss").is_null());
  EXPECT_EQ(j.at("reason").as_string(), "the validation loss is nan after step 1");
  EXPECT_TRUE(real_fs().list(small.file("run/ckpt")).empty());
}

// Saved before anything told that its activations overflow.
TEST(Use, AModelWithoutAFiniteScoreSaysSo) {
  const SmallRun small;
  small.train(
      "run", {"--quiet", "--set", "optim.lr=1e18", "--set", "clip.norm=0", "--set", "train.steps=1",
              "--set", "schedule.kind=constant", "--set", "checkpoint.every=1"});
  ASSERT_EQ(real_fs().list(small.file("run/ckpt")).size(), 1u);
  real_fs().write_file(small.file("held.txt"), std::string(400, 'a'));
  const ProgramEnd eval = keel({"eval", small.file("run"), "--data", small.file("held.txt")});
  EXPECT_EQ(eval.code, 3);
  EXPECT_NE(eval.err.find(": the model's loss is not finite"), std::string::npos) << eval.err;
  const ProgramEnd text = keel({"generate", small.file("run"), "-p", "a"});
  EXPECT_EQ(text.code, 3);
  EXPECT_NE(text.err.find("the model gives no token a finite score"), std::string::npos)
      << text.err;
}

TEST(Use, EvalGenerateAndDataShow) {
  const SmallRun small;
  ASSERT_EQ(small.train("run").code, 0);
  const std::string run = small.file("run");

  const ProgramEnd evaluated = keel({"eval", run, "--data", small.file("text.txt"), "--json"});
  ASSERT_EQ(evaluated.code, 0) << evaluated.err;
  const Json e = last_json(evaluated);
  expect_documented(e, "eval");
  const auto bytes =
      static_cast<double>(real_fs().read_file(small.file("text.txt"), kMaxTextBytes).size());
  const double nats = e.at("loss").as_double() * e.at("tokens").as_double();
  EXPECT_NEAR(e.at("bits_per_byte").as_double(), nats / 0.6931471805599453 / bytes,
              2e-4 * e.at("bits_per_byte").as_double());
  // A checkpoint's folder stands for its run.
  EXPECT_EQ(keel({"eval", run + "/ckpt/step-00000004", "--data", small.file("text.txt"), "--json"})
                .last_line(),
            evaluated.last_line());

  const std::vector<std::string> write = {"generate", run,      "-p", "line ",  "-n",
                                          "20",       "--temp", "0",  "--seed", "7"};
  const ProgramEnd written = keel(write);
  EXPECT_EQ(written.code, 0) << written.err;
  EXPECT_TRUE(written.out.starts_with("line "));
  EXPECT_EQ(keel(write).out, written.out);

  const ProgramEnd shown = keel({"data", "show", run, "--step", "2"});
  EXPECT_EQ(shown.code, 0) << shown.err;
  EXPECT_NE(shown.out.find("step 2: sequences 4 to 7"), std::string::npos) << shown.out;
  EXPECT_NE(
      shown.out.find("sequence 7  source text.txt  file " + small.file("text.txt") + "  byte "),
      std::string::npos)
      << shown.out;
  EXPECT_NE(shown.out.find("  loss "), std::string::npos);
  EXPECT_EQ(shown.err, "");

  const ProgramEnd later = keel({"data", "show", run, "--step", "9"});
  EXPECT_EQ(later.err, "note: " + run +
                           "/ckpt/step-00000004 has done 4 steps: step 9 is still to "
                           "come\n");
  const std::string text = real_fs().read_file(small.file("text.txt"), kMaxTextBytes);
  real_fs().replace_file(small.file("text.txt"), text + "more\n");
  const ProgramEnd changed = keel({"data", "show", run, "--step", "2"});
  EXPECT_TRUE(changed.err.starts_with("warning: the data of " + run +
                                      " is not what it was when the run began:\n  " +
                                      small.file("text.txt") + ": "))
      << changed.err;
  real_fs().replace_file(run + "/data.json", "{");
  const ProgramEnd damaged = keel({"data", "show", run, "--step", "2"});
  EXPECT_EQ(damaged.code, 0);
  EXPECT_TRUE(damaged.err.starts_with("note: whether the data has changed is not known: " + run))
      << damaged.err;
}

// Evaluation of a file reads it as the run read its own validation.
TEST(Use, EvalOfTheValidationFileIsTheRunsOwn) {
  const SmallRun small;
  std::string documents;
  for (int i = 0; i < 40; ++i) documents += "{\"text\": \"line " + std::to_string(i) + "\"}\n";
  real_fs().write_file(small.file("val.jsonl"), documents);
  real_fs().write_file(small.file("train.jsonl"), documents);
  const ProgramEnd o = small.train("run", {"--json", "--set", "data.kind=jsonl", "--set",
                                           "data.path=" + small.file("train.jsonl"), "--set",
                                           "data.val_path=" + small.file("val.jsonl"), "--set",
                                           "data.document_mask=true", "--set", "eval.tokens=0"});
  ASSERT_EQ(o.code, 0) << o.err;
  const ProgramEnd e =
      keel({"eval", small.file("run"), "--data", small.file("val.jsonl"), "--json"});
  ASSERT_EQ(e.code, 0) << e.err;
  EXPECT_EQ(last_json(e).at("loss").as_double(), last_json(o).at("val_loss").as_double());

  // A source that a step has not read has no number for it.
  const RunMetrics metrics(small.file("run"));
  EXPECT_EQ(metrics.metric("source_loss/val.jsonl").size(), 0u);
  EXPECT_EQ(metrics.metric("source_loss/train.jsonl").size(), 4u);
}

TEST(Use, ReportAndRuns) {
  const SmallRun small;
  ASSERT_EQ(small.train("a").code, 0);
  ASSERT_EQ(small.train("b", {"--set", "train.seed=1"}).code, 0);
  const std::string a = small.file("a"), b = small.file("b"), page = small.file("r.html");
  const ProgramEnd made = keel({"report", a, b, "-o", page});
  EXPECT_EQ(made.out, page + "\n");
  EXPECT_TRUE(real_fs().exists(page));
  EXPECT_EQ(keel({"report", a, b, "-o", small.file("r.svg")}).code, 2);

  const Json listed = last_json(keel({"runs", "ls", small.path(), "--json"}));
  EXPECT_EQ(listed.at("runs").as_array().size(), 2u);
  const ProgramEnd table = keel({"runs", "compare", a, b});
  EXPECT_NE(table.out.find("train.seed"), std::string::npos) << table.out;
  const Json compared = last_json(keel({"runs", "compare", a, b, "--json"}));
  EXPECT_EQ(compared.at("runs").as_array().size(), 2u);
}

TEST(Look, Plan) {
  const SmallRun small;
  const ProgramEnd o = keel({"plan", small.file("run.toml"), "--json"});
  ASSERT_EQ(o.code, 0) << o.err;
  const Json j = last_json(o);
  expect_documented(j, "plan");
  expect_documented(j.at("bytes"), "plan", "bytes");
  EXPECT_EQ(j.at("bytes").at("weights").as_int(), 4 * j.at("parameters").as_int());
  const ProgramEnd text = keel({"plan", small.file("run.toml"), "--probe"});
  EXPECT_NE(text.out.find("with four times the width and no gate"), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("tokens/s\n  the run "), std::string::npos) << text.out;
}

TEST(Look, Bench) {
  const SmallRun small;
  const ProgramEnd o =
      keel({"bench", small.file("run.toml"), "--steps", "5", "--json"}, in(small.path()));
  ASSERT_EQ(o.code, 0) << o.err;
  const Json j = last_json(o);
  expect_documented(j, "bench");
  const Json& ms = j.at("step_ms");
  expect_documented(ms, "bench", "step_ms");
  EXPECT_NEAR(j.at("tokens_per_second").as_double() * ms.at("median").as_double() / 1000, 4 * 32,
              1e-6);
  EXPECT_LE(ms.at("p10").as_double(), ms.at("median").as_double());
  EXPECT_LE(ms.at("median").as_double(), ms.at("p90").as_double());
  EXPECT_GT(j.at("peak_rss_bytes").as_int(), 1 << 20);
  EXPECT_FALSE(real_fs().exists(small.file("runs")));
}

TEST(Look, BenchAgainstTheSameConfigWithOtherSettings) {
  const SmallRun small;
  const std::vector<std::string> bench = {"bench", small.file("run.toml"), "--steps", "6"};
  const auto with = [&](std::vector<std::string> more) {
    std::vector<std::string> all = bench;
    all.insert(all.end(), more.begin(), more.end());
    return keel(all, in(small.path()));
  };
  const ProgramEnd o = with({"--set", "model.layers=3", "--against", "", "--json"});
  ASSERT_EQ(o.code, 0) << o.err;
  const Json j = last_json(o);
  expect_documented(j, "bench --against");
  EXPECT_EQ(j.at("step_ms_pairs").as_array().size(), 6u);
  const Json &here = j.at("here"), &there = j.at("against");
  expect_documented(here, "bench --against", "here");
  for (const char* key : {"parameters", "planned_bytes", "flops"}) {
    EXPECT_GT(here.at(key).as_double(), there.at(key).as_double()) << key;
  }
  const ProgramEnd text = with({"--against", "model.layers=3"});
  EXPECT_EQ(text.out.substr(0, 14), "step          ") << text.out;
  EXPECT_NE(text.out.find("x (middle half of 6 pairs "), std::string::npos) << text.out;
  const ProgramEnd threads = with({"--set", "train.threads=1", "--against", "train.threads=2"});
  EXPECT_EQ(threads.code, 2);
  EXPECT_NE(threads.err.find("--against: train.threads is 2 there and 1 here, it must be the same"),
            std::string::npos)
      << threads.err;
}

TEST(Look, ConfigOfAFileAndOfARun) {
  const SmallRun small;
  ASSERT_EQ(small.train("run", {"--set=model.dim=64"}).code, 0);
  const std::string file = small.file("run.toml"), run = small.file("run");
  EXPECT_EQ(keel({"config", "check", file}).code, 0);
  const ProgramEnd shown = keel({"config", "show", run});
  EXPECT_NE(shown.out.find("dim = 64"), std::string::npos) << shown.out;
  EXPECT_NE(shown.out.find("# --set"), std::string::npos) << shown.out;
  const ProgramEnd different = keel({"config", "diff", file, run});
  EXPECT_NE(different.out.find("model.dim"), std::string::npos) << different.out;
  EXPECT_EQ(different.out.find("train.batch"), std::string::npos) << different.out;
  EXPECT_EQ(keel({"config", "diff", file, file}).out, "no differences\n");
  EXPECT_TRUE(parse_json(keel({"config", "schema"}).out, "schema").is_object());
}

TEST(Look, DataInspect) {
  const SmallRun small;
  const Json j = last_json(keel({"data", "inspect", small.file("text.txt"), "--json"}));
  EXPECT_EQ(j.at("kind").as_string(), "text");
  EXPECT_EQ(j.at("vocab").as_int(), 257);
  EXPECT_NE(keel({"data", "inspect", small.file("text.txt")}).out.find("kind       text"),
            std::string::npos);
}

}  // namespace
}  // namespace keel
