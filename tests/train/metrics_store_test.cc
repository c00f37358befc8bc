#include "train/metrics_store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cmath>

#include "io/error_text.h"
#include "io/temp_dir.h"

namespace keel {
namespace {

std::vector<int64_t> steps(const std::vector<MetricPoint>& points) {
  std::vector<int64_t> out;
  for (const MetricPoint& p : points) out.push_back(p.step);
  return out;
}

TEST(MetricsStore, HoldsEveryTable) {
  const TempDir dir;
  const std::string path = dir / "metrics.db";
  {
    MetricsWriter w(path);
    w.meta("name", "tiny");
    w.meta("name", "small");
    for (int64_t step = 1; step <= 3; ++step) {
      w.metric(step, "train/loss", 1.0 / static_cast<double>(step));
      w.metric(step, "grad/norm", 2);
      w.commit();
    }
    w.eval(3, "val/loss", 0.1);
    w.sample(3, "In the beg\xc3\xa4");
    w.event(3, 1e9 + 0.5, "save", "step 3");
    EXPECT_EQ(w.failure(), "");
  }
  const MetricsReader r(path);
  EXPECT_EQ(r.metric_names(), (std::vector<std::string>{"grad/norm", "train/loss"}));
  EXPECT_EQ(r.eval_names(), (std::vector<std::string>{"val/loss"}));
  const auto loss = r.metric("train/loss");
  EXPECT_EQ(steps(loss), (std::vector<int64_t>{1, 2, 3}));
  EXPECT_EQ(loss[2].value, 1.0 / 3);
  EXPECT_EQ(r.eval("val/loss")[0].value, 0.1);
  EXPECT_TRUE(r.metric("none").empty());
  EXPECT_EQ(r.samples()[0].text, "In the beg\xc3\xa4");
  const EventRow event = r.events()[0];
  EXPECT_EQ(event.step, 3);
  EXPECT_EQ(event.time, 1e9 + 0.5);
  EXPECT_EQ(event.kind + event.text, "savestep 3");
  EXPECT_EQ(r.meta(), (std::map<std::string, std::string>{{"name", "small"}}));
}

TEST(MetricsStore, WhatIsNotFiniteComesBack) {
  const TempDir dir;
  {
    MetricsWriter w(dir / "m.db");
    w.metric(1, "x", NAN);
    w.metric(2, "x", INFINITY);
    w.metric(3, "x", -INFINITY);
    w.eval(3, "y", NAN);
  }
  const MetricsReader r(dir / "m.db");
  const auto x = r.metric("x");
  ASSERT_EQ(x.size(), 3u);
  EXPECT_TRUE(std::isnan(x[0].value));
  EXPECT_EQ(x[1].value, INFINITY);
  EXPECT_EQ(x[2].value, -INFINITY);
  EXPECT_TRUE(std::isnan(r.eval("y")[0].value));
}

TEST(MetricsStore, AResumeLeavesEachStepOnce) {
  const TempDir dir;
  const auto write = [&](int64_t from, int64_t to) {
    MetricsWriter w(dir / "m.db");
    w.remove_after(from);
    for (int64_t step = from + 1; step <= to; ++step) {
      w.metric(step, "x", static_cast<double>(to));
      w.eval(step, "y", 1);
      w.sample(step, "s");
      w.event(step, 0, "k", "t");
    }
    EXPECT_EQ(w.failure(), "");
  };
  write(0, 10);
  write(4, 6);
  const MetricsReader r(dir / "m.db");
  const std::vector<int64_t> all{1, 2, 3, 4, 5, 6};
  EXPECT_EQ(steps(r.metric("x")), all);
  EXPECT_EQ(r.metric("x")[3].value, 10);
  EXPECT_EQ(r.metric("x")[4].value, 6);
  EXPECT_EQ(steps(r.eval("y")), all);
  EXPECT_EQ(r.samples().size(), 6u);
  EXPECT_EQ(r.events().size(), 6u);
}

TEST(MetricsStore, CanBeReadWhileItIsWritten) {
  const TempDir dir;
  MetricsWriter w(dir / "m.db");
  w.metric(1, "x", 1);
  w.flush();
  const MetricsReader r(dir / "m.db");
  EXPECT_EQ(r.metric("x").size(), 1u);
  w.metric(2, "x", 1);
  EXPECT_EQ(r.metric("x").size(), 1u);
  w.flush();
  EXPECT_EQ(r.metric("x").size(), 2u);
}

TEST(MetricsStore, AKilledWriterLosesOnlyWhatWasNotCommitted) {
  const TempDir dir;
  {
    MetricsWriter w(dir / "m.db");
    w.metric(1, "x", 1);
    w.flush();
    w.metric(2, "x", 1);
    // What lies on disk while the writer has it open is what a kill leaves.
    for (const char* end : {"", "-wal"}) {
      real_fs().write_file((dir / "copy.db") + end,
                           real_fs().read_file((dir / "m.db") + end, kMaxTextBytes));
    }
  }
  EXPECT_EQ(MetricsReader(dir / "copy.db").metric("x").size(), 1u);
  MetricsWriter again(dir / "copy.db");
  EXPECT_EQ(again.failure(), "");
}

TEST(MetricsStore, AWriterThatCannotSaysWhyAndDoesNotThrow) {
  const TempDir dir;
  const auto failure = [&](const std::string& path) {
    MetricsWriter w(path);
    w.metric(1, "x", 1);
    w.remove_after(1);
    w.commit();
    w.flush();
    return w.failure();
  };
  EXPECT_EQ(failure(dir / "none/m.db"),
            (dir / "none/m.db") + ": metrics store: unable to open database file");
  real_fs().write_file(dir / "text.db", std::string(5000, 'x'));
  EXPECT_EQ(failure(dir / "text.db"),
            (dir / "text.db") + ": metrics store: file is not a database");
}

TEST(MetricsStore, ALockedStoreStopsTheMetricsNotTheRun) {
  const TempDir dir;
  MetricsWriter first(dir / "m.db"), second(dir / "m.db");
  first.metric(1, "x", 1);  // holds the only write lock
  second.metric(1, "x", 2);
  second.metric(2, "x", 2);
  EXPECT_EQ(second.failure(), (dir / "m.db") + ": metrics store: database is locked");
  first.flush();
  EXPECT_EQ(first.failure(), "");
}

TEST(MetricsStore, ReaderErrorsNameTheFile) {
  const TempDir dir;
  const auto error = [](const std::string& path) {
    return error_text<DataError>([&] { MetricsReader r(path); });
  };
  EXPECT_EQ(error(dir / "none.db"),
            (dir / "none.db") + ": metrics store: unable to open database file");
  real_fs().write_file(dir / "text.db", std::string(5000, 'x'));
  EXPECT_EQ(error(dir / "text.db"), (dir / "text.db") + ": metrics store: file is not a database");
  real_fs().write_file(dir / "empty.db", "");
  EXPECT_EQ(error(dir / "empty.db"),
            (dir / "empty.db") + ": metrics store: schema 0, this program reads 1");
}

TEST(MetricsStore, AFolderThatCannotBeWrittenCanBeRead) {
  const TempDir dir;
  const std::string folder = dir / "odd %41?#";
  real_fs().make_dir(folder);
  { MetricsWriter(folder + "/m.db").metric(1, "x", 1); }
  ASSERT_EQ(::chmod(folder.c_str(), 0555), 0);
  EXPECT_EQ(MetricsReader(folder + "/m.db").metric("x").size(), 1u);
  ASSERT_EQ(::chmod(folder.c_str(), 0755), 0);
}

}  // namespace
}  // namespace keel
