// Logs of trainers that are not ours.
#include "lab/sweep/trial_log.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "io/error_text.h"
#include "io/temp_dir.h"
#include "io/tfevents.h"

namespace keel {
namespace {

const LogColumns kColumns{"step", "loss", "val_loss"};

class Log {
 public:
  Log(const std::string& name, const std::string& text) : path_(dir_ / name) {
    real_fs().write_file(path_, text);
  }
  std::vector<LogRow> read(bool whole = true, const LogColumns& columns = kColumns) const {
    return read_log(path_, columns, whole);
  }
  // Without the folder.
  std::string error(const LogColumns& columns = kColumns) const {
    return error_text<DataError>([&] { read(true, columns); }).substr(dir_.path().size() + 1);
  }

 private:
  TempDir dir_;
  std::string path_;
};

std::string line(const LogRow& r) {
  const auto text = [](const std::optional<double>& v) {
    return !v ? std::string("-") : std::isnan(*v) ? "nan" : std::to_string(*v).substr(0, 4);
  };
  return std::to_string(r.step) + " " + text(r.loss) + " " + text(r.val_loss);
}

std::vector<std::string> lines(const std::vector<LogRow>& rows) {
  std::vector<std::string> out;
  for (const LogRow& r : rows) out.push_back(line(r));
  return out;
}

TEST(TrialLog, Csv) {
  const Log log("a.csv",
                "time,step,loss,val_loss\n1,0,2.5,\r\n2,1,nan,3\n\n3,2.0,\"1.25\",2\n4,3,1");
  EXPECT_EQ(lines(log.read(false)),
            (std::vector<std::string>{"0 2.50 -", "1 nan 3.00", "2 1.25 2.00"}));
  // The last line would be one of a whole log, too.
  EXPECT_EQ(log.error(), "a.csv:6: 3 values, and 4 names");
}

TEST(TrialLog, Jsonl) {
  const Log log("a.jsonl",
                "{\"config\": {\"x\": [1]}}\n{\"step\": 1, \"loss\": 2.5}\n"
                "{\"step\": 2, \"loss\": NaN, \"note\": \"NaN \\\" NaN\"}\n"
                "{\"step\": 3, \"loss\": null, \"val_loss\": -Infinity}\n{\"step\": 4, \"lo");
  EXPECT_EQ(lines(log.read(false)), (std::vector<std::string>{"1 2.50 -", "2 nan -", "3 - -inf"}))
      << "null: not logged";
  EXPECT_TRUE(log.error().starts_with("a.jsonl:5: ")) << log.error();
}

TEST(TrialLog, EventFilesOfAFolder) {
  const TempDir dir;
  {
    EventWriter events(real_fs(), dir.path(), 1000, "host");
    for (int step = 1; step <= 3; ++step) {
      events.scalar(1000 + step, step, "train/loss", 4.0f / static_cast<float>(step));
      events.scalar(1000 + step, step, "lr", 1);
    }
    events.text(1005, 3, "sample", "words");
    events.scalar(1005, 3, "val", 1.5f);
  }
  EXPECT_EQ(lines(read_log(dir.path(), {"step", "train/loss", "val"}, true)),
            (std::vector<std::string>{"1 4.00 -", "2 2.00 -", "3 1.33 1.50"}));
  EXPECT_EQ(error_text<DataError>([&] {
              read_log(dir.path(), {"step", "loss", "val"}, true);
            }),
            dir.path() +
                ": has no tag \"loss\" (it has: train/loss, lr, val); trial.columns names "
                "them");
  EXPECT_EQ(error_text<DataError>([&] {
              read_log(dir.path(), {"step", "lr", "vall"}, true);
            }),
            dir.path() +
                ": has no tag \"vall\", did you mean \"val\"? (it has: train/loss, lr, "
                "val); trial.columns names them");
  const TempDir empty;
  EXPECT_EQ(error_text<DataError>([&] { read_log(empty.path(), kColumns, true); }),
            empty.path() + ": holds no event file");
}

TEST(TrialLog, SaysWhatIsMissing) {
  EXPECT_EQ(error_text<DataError>([] { read_log("/nowhere/a.csv", kColumns, true); }),
            "/nowhere/a.csv: the command has written no such log");
  EXPECT_EQ(Log("a.csv", "").error(), "a.csv: has no line of names");
  EXPECT_EQ(Log("a.csv", "step,los\n").error(),
            "a.csv: has no column \"loss\", did you mean \"los\"? (it has: step, los); "
            "trial.columns names them");
  EXPECT_EQ(Log("a.csv", "step,loss\n1,2\n").error(),
            "a.csv: has no column \"val_loss\" (it has: step, loss); trial.columns names them");
  EXPECT_EQ(Log("a.csv", "step,loss\n1,2\n").read(true, {"step", "loss", ""}).size(), 1u);
  EXPECT_EQ(Log("a.csv", "step,loss,step\n").error(), "a.csv:1: the name \"step\" is there twice");
  EXPECT_EQ(Log("a.csv", "step,loss,val_loss\n1,x,\n").error(), "a.csv: row 1: \"x\" is no number");
  EXPECT_EQ(Log("a.csv", "step,loss,val_loss\n,1,\n").error(), "a.csv: row 1: has no step");
  EXPECT_EQ(Log("a.csv", "step,loss,val_loss\n0.5,1,\n").error(),
            "a.csv: row 1: a step must be a whole number from 0 on, is 0.5");
  EXPECT_EQ(
      Log("a.jsonl", "{\"stp\": 1}\n").error(),
      "a.jsonl: has no key \"step\", did you mean \"stp\"? (it has: stp); trial.columns names "
      "them");
  EXPECT_EQ(Log("a.jsonl", "{\"step\": 1, \"x\": 2}\n").error(),
            "a.jsonl: has no key \"loss\" (it has: step, x); trial.columns names them");
  EXPECT_EQ(Log("a.jsonl", "{\"step\": 1, \"loss\": 2}\n").error(),
            "a.jsonl: has no key \"val_loss\" (it has: step, loss); trial.columns names them");
  EXPECT_EQ(Log("a.jsonl", "{\"step\": 1, \"loss\": [2]}\n").error(),
            "a.jsonl:1: \"loss\" is no number");
}

TEST(TrialLog, ColumnsAreNamed) {
  const LogColumns c = log_columns({"loss=train_loss", "val_loss="});
  EXPECT_EQ(c.step, "step");
  EXPECT_EQ(c.loss, "train_loss");
  EXPECT_EQ(c.val_loss, "");
  EXPECT_EQ(error_text<ConfigError>([] { log_columns({"los=x"}); }),
            "columns: los=x is none of step=, loss=, val_loss=");
}

TEST(LoggedRuns, StepsAreCountedFromZeroOrOneAndNeedNotAllBeThere) {
  EXPECT_EQ(logged_run({{0, 5, {}}, {2, 3, {}}, {4, 2, 2.5}}, 5).losses,
            (std::vector<double>{5, 5, 3, 3, 2}));
  EXPECT_EQ(logged_run({{1, 5, {}}, {3, 3, {}}, {5, 2, 2.5}}, 0).losses,
            (std::vector<double>{5, 5, 3, 3, 2}));
  EXPECT_EQ(logged_run({{0, 5, {}}, {2, 3, 9}, {4, 2, 2.5}}, 6).losses,
            (std::vector<double>{5, 5, 3, 3, 2, 2}));
  EXPECT_EQ(logged_run({{0, 5, {}}, {1, {}, 2.5}}, 1).val_loss, 2.5);
  EXPECT_EQ(logged_run({{0, 5, {}}, {0, 4, {}}}, 1).losses, std::vector<double>{4});
  const LoggedRun lost = logged_run({{1, 5, {}}, {2, NAN, {}}, {3, 4, {}}}, 9);
  EXPECT_EQ(lost.losses.size(), 2u);
  EXPECT_EQ(lost.not_finite, "the loss is nan in step 2");
}

TEST(LoggedRuns, LogsThatDoNotFitTheSteps) {
  const std::vector<LogRow> rows = {{0, 5, {}}, {2, 3, {}}};
  EXPECT_EQ(error_text<DataError>([&] { logged_run(rows, 5); }), "the log ends at step 3 of 5");
  EXPECT_EQ(error_text<DataError>([&] { logged_run(rows, 2); }),
            "the log goes on to step 3, and trial.steps is 2");
  EXPECT_EQ(error_text<DataError>([&] { logged_run({{3, {}, 1}}, 2); }), "the log holds no loss");
}

TEST(TrialLog, WhatItReadsShowsInItsName) {
  for (const char* good :
       {"log.csv", "x/y.jsonl", "runs/events.out.tfevents.1.host", "runs/tb", "tb/"}) {
    EXPECT_TRUE(is_log_name(good)) << good;
  }
  EXPECT_FALSE(is_log_name("log.txt"));
}

}  // namespace
}  // namespace keel
