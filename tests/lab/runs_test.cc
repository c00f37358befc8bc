#include "lab/runs.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/error.h"
#include "io/temp_dir.h"
#include "lab/fake_run.h"

namespace keel {
namespace {

TEST(Runs, AreFoundInFoldersButNotInsideRuns) {
  const TempDir dir;
  real_fs().make_dirs(dir.path() + "/x/y");
  make_fake_run(dir.path() + "/b", {.metrics = false});
  make_fake_run(dir.path() + "/a", {.metrics = false});
  make_fake_run(dir.path() + "/x/y/c", {.metrics = false});
  make_fake_run(dir.path() + "/a/inner", {.metrics = false});
  make_fake_run(dir.path() + "/.tmp", {.metrics = false});
  EXPECT_EQ(find_runs(dir.path()), (std::vector<std::string>{dir.path() + "/a", dir.path() + "/b",
                                                             dir.path() + "/x/y/c"}));
  EXPECT_EQ(find_runs(dir.path() + "/a"), std::vector<std::string>{dir.path() + "/a"});
  try {
    find_runs(dir.path() + "/none");
    FAIL() << "a missing folder was listed";
  } catch (const DataError& error) {
    EXPECT_EQ(error.what(), dir.path() + "/none: no such folder");
  }
}

TEST(Runs, FiguresAreThoseOfTheRun) {
  const TempDir dir;
  const std::string path = make_fake_run(dir.path() + "/a");
  const RunSummary s = summarize_runs({&path, 1}).front();
  EXPECT_EQ(s.state, RunState::kFinished);
  EXPECT_EQ(s.steps, 300);
  EXPECT_EQ(s.total_steps, 300);
  EXPECT_EQ(s.tokens, 300 * 4096);
  EXPECT_EQ(s.parameters, 1'050'000);
  EXPECT_NEAR(s.seconds, 300 * 4096 / 41450.0, 0.5);
  double mean = 0;
  const RunData run = load_run_data(path);
  for (size_t i = 280; i < 300; ++i) mean += run.metric("loss").values[i] / 20;
  EXPECT_NEAR(s.train_loss, mean, 1e-12);
  const std::vector<double>& val = run.eval("val_loss").values;
  EXPECT_EQ(s.val_loss, val.back());
  const auto best = std::min_element(val.begin(), val.end());
  EXPECT_EQ(s.best_val_loss, *best);
  EXPECT_EQ(s.best_val_step, 50 * (1 + best - val.begin()));
}

TEST(Runs, TableIsAligned) {
  RunSummary a;
  a.run = "runs/a";
  a.state = RunState::kFinished;
  a.steps = a.total_steps = 300;
  a.tokens = 1'228'800;
  a.val_loss = 2.25;
  a.train_loss = 2.1;
  a.tokens_per_second = 41'200;
  RunSummary b = a;
  b.run = "runs/longer";
  b.state = RunState::kDiverged;
  b.total_steps = -1;
  b.val_loss = std::nan("");
  const RunSummary rows[] = {a, b};
  EXPECT_EQ(runs_table(rows),
            "run          state       steps  tokens  val_loss  train_loss  tok/s\n"
            "runs/a       finished  300/300   1.23M    2.2500      2.1000  41.2k\n"
            "runs/longer  diverged      300   1.23M         -      2.1000  41.2k\n");
  EXPECT_EQ(runs_table({}), "no runs\n");
  EXPECT_EQ(runs_json(rows).dump(),
            R"([{"run":"runs/a","steps":300,"tokens":1228800,"val_loss":2.25,"train_loss":2.1,)"
            R"("tokens_per_second":41200.0,"state":"finished"},)"
            R"({"run":"runs/longer","steps":300,"tokens":1228800,"val_loss":null,)"
            R"("train_loss":2.1,"tokens_per_second":41200.0,"state":"diverged"}])");
}

TEST(Runs, CompareNamesTheKeysThatDiffer) {
  const TempDir dir;
  const RunData runs[] = {load_run_data(make_fake_run(dir.path() + "/a", {.rate = 1e-3})),
                          load_run_data(make_fake_run(dir.path() + "/b", {.rate = 2e-3}))};
  const std::vector<ConfigRow> rows = config_differences(runs);
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].key, "optim.lr");
  EXPECT_EQ(rows[0].values, (std::vector<std::string>{"0.001", "0.002"}));
  EXPECT_NE(compare_table(runs).find("\nkey       a      b\noptim.lr  0.001  0.002\n"),
            std::string::npos);
  EXPECT_EQ(compare_json(runs).at("config").dump(),
            R"([{"key":"optim.lr","values":["0.001","0.002"]}])");
  const RunData same[] = {runs[0], runs[0]};
  EXPECT_NE(compare_table(same).find("the configs are equal"), std::string::npos);
}

}  // namespace
}  // namespace keel
