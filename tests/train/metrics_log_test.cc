#include "train/metrics_log.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "io/error_text.h"
#include "io/temp_dir.h"

namespace keel {
namespace {

std::vector<int64_t> steps(const std::vector<MetricPoint>& points) {
  std::vector<int64_t> out;
  for (const MetricPoint& p : points) out.push_back(p.step);
  return out;
}

std::vector<int64_t> counted(int64_t last) {
  std::vector<int64_t> out;
  for (int64_t i = 1; i <= last; ++i) out.push_back(i);
  return out;
}

void write_steps(MetricsLog& log, int64_t from, int64_t to, double value) {
  for (int64_t step = from; step <= to; ++step) {
    log.metric(step, "x", value);
    log.eval(step, "y", value);
    log.sample(step, "s");
    log.event(step, 0, "k", "t");
    log.end_step();
  }
}

// Each step once in every table.
void expect_steps(const std::string& run, int64_t last) {
  const RunMetrics r(run);
  EXPECT_EQ(steps(r.metric("x")), counted(last));
  EXPECT_EQ(steps(r.eval("y")), counted(last));
  EXPECT_EQ(r.samples().size(), static_cast<size_t>(last));
  EXPECT_EQ(r.events().size(), static_cast<size_t>(last));
}

TEST(MetricsLog, WritesOneStoreWhileAllIsWell) {
  const TempDir dir;
  {
    MetricsLog log(dir.path());
    log.meta("name", "tiny");
    write_steps(log, 1, 5, 1);
    EXPECT_EQ(log.take_warning(), "");
  }
  expect_steps(dir.path(), 5);
  EXPECT_EQ(metrics_stores(dir.path()), std::vector<std::string>{dir / "metrics.db"});
  EXPECT_EQ(RunMetrics(dir.path()).meta(), (std::map<std::string, std::string>{{"name", "tiny"}}));
}

TEST(MetricsLog, AResumeLeavesEachStepOnce) {
  const TempDir dir;
  {
    MetricsLog log(dir.path());
    write_steps(log, 1, 10, 1);
  }
  {
    MetricsLog log(dir.path(), 4);
    write_steps(log, 5, 7, 2);
  }
  expect_steps(dir.path(), 7);
  EXPECT_EQ(RunMetrics(dir.path()).metric("x")[3].value, 1);
  EXPECT_EQ(RunMetrics(dir.path()).metric("x")[4].value, 2);
}

TEST(MetricsLog, ALockedStoreIsLeftAndAnotherBegun) {
  const TempDir dir;
  {
    MetricsLog log(dir.path());
    log.meta("name", "tiny");
    write_steps(log, 1, 3, 1);
    log.flush();
    MetricsWriter other(dir / "metrics.db");
    other.metric(1, "z", 0);  // holds the write lock
    write_steps(log, 4, 6, 1);
    log.flush();
    EXPECT_EQ(log.take_warning(), (dir / "metrics.db") +
                                      ": metrics store: database is locked; metrics go on in "
                                      "metrics-2.db");
    write_steps(log, 7, 9, 1);
  }
  expect_steps(dir.path(), 9);
  EXPECT_EQ(RunMetrics(dir.path()).meta().size(), 1u);
  {
    MetricsLog again(dir.path(), 5);  // to before the second store began
    EXPECT_EQ(again.take_warning(), "");
    write_steps(again, 6, 8, 2);
  }
  expect_steps(dir.path(), 8);
  EXPECT_EQ(metrics_stores(dir.path()).size(), 2u);
}

// Rows of lost steps in a store that cannot be cleared are passed over.
TEST(MetricsLog, AResumeBesideALockedStoreLeavesEachStepOnce) {
  const TempDir dir;
  {
    MetricsLog log(dir.path());
    write_steps(log, 1, 10, 1);
  }
  {
    MetricsWriter other(dir / "metrics.db");
    other.metric(1, "z", 0);
    MetricsLog log(dir.path(), 4);
    EXPECT_NE(log.take_warning().find("database is locked; metrics go on in metrics-2.db"),
              std::string::npos);
    write_steps(log, 5, 6, 2);
  }
  expect_steps(dir.path(), 6);
  EXPECT_EQ(RunMetrics(dir.path()).metric("x").back().value, 2);
}

TEST(MetricsLog, ADamagedStoreIsLeftAndAnotherBegun) {
  const TempDir dir;
  real_fs().write_file(dir / "metrics.db", std::string(5000, 'x'));
  {
    MetricsLog log(dir.path(), 2);
    EXPECT_EQ(log.take_warning(), (dir / "metrics.db") +
                                      ": metrics store: file is not a database; metrics go on in "
                                      "metrics-2.db");
    log.metric(3, "x", 1);
  }
  const RunMetrics r(dir.path());
  EXPECT_EQ(steps(r.metric("x")), std::vector<int64_t>{3});
  ASSERT_EQ(r.notes().size(), 1u);
  EXPECT_TRUE(r.notes()[0].starts_with("metrics.db cannot be read, so what it holds is missing: "));
  EXPECT_EQ(real_fs().read_file(dir / "metrics.db", 9999), std::string(5000, 'x'));
}

// Damage in the middle: pages of a table are overwritten while the log has the store open.
TEST(MetricsLog, DamageWhileRunningLosesNothingNew) {
  const TempDir dir;
  {
    MetricsLog log(dir.path());
    for (int64_t step = 1; step <= 4000; ++step) log.metric(step, "x", 1);
    log.flush();
  }
  std::string bytes = real_fs().read_file(dir / "metrics.db", kMaxTextBytes);
  ASSERT_GT(bytes.size(), 40000u);
  std::fill(bytes.begin() + 4096, bytes.end(), 'x');
  overwrite(dir / "metrics.db", bytes);
  std::string warning;
  {
    MetricsLog log(dir.path(), 4000);
    for (int64_t step = 4001; step <= 4010; ++step) log.metric(step, "x", 1);
    log.flush();
    warning = log.take_warning();
  }
  EXPECT_NE(warning.find("malformed; metrics go on in metrics-2.db"), std::string::npos) << warning;
  EXPECT_EQ(RunMetrics(dir.path()).metric("x").back().step, 4010);
}

// What root may do anyway is tried as somebody else.
TEST(MetricsLog, AReadOnlyStoreIsLeftAndAnotherBegun) {
  const TempDir dir;
  {
    MetricsLog log(dir.path());
    write_steps(log, 1, 3, 1);
  }
  constexpr uid_t kNobody = 65534;
  const bool root = ::geteuid() == 0;
  ASSERT_EQ(::chmod((dir / "metrics.db").c_str(), 0444), 0);
  if (root) {
    ASSERT_EQ(::chown(dir.path().c_str(), kNobody, kNobody), 0);
    ASSERT_EQ(::seteuid(kNobody), 0);
  }
  std::string warning;
  {
    MetricsLog log(dir.path(), 3);
    write_steps(log, 4, 5, 1);
    log.flush();
    warning = log.take_warning();
  }
  if (root) {
    ASSERT_EQ(::seteuid(0), 0);
  }
  EXPECT_NE(warning.find("attempt to write a readonly database; metrics go on in metrics-2.db"),
            std::string::npos)
      << warning;
  expect_steps(dir.path(), 5);
}

TEST(MetricsLog, AFolderThatTakesNoStoreEndsTheMetricsNotTheRun) {
  MetricsLog log("/proc/self");
  const std::string warning = log.take_warning();
  EXPECT_TRUE(warning.ends_with("; no metrics are written")) << warning;
  write_steps(log, 1, 3, 1);
  log.flush();
  EXPECT_EQ(log.take_warning(), "");
}

// A file that may not grow stands for a disk that is full: both end a write.
TEST(MetricsLog, OnAFullDiskRowsWaitUntilThereIsSpace) {
  const TempDir dir;
  const auto forget = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto most = [&](rlim_t bytes) {
    const rlimit limit{std::min(bytes, before.rlim_max), before.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  };
  std::string warning;
  {
    MetricsLog log(dir.path());
    write_steps(log, 1, 10, 1);
    log.flush();
    EXPECT_EQ(log.take_warning(), "");
    most(4096);
    write_steps(log, 11, 2000, 1);
    log.flush();
    warning = log.take_warning();
    write_steps(log, 2001, 2010, 1);
    log.flush();
    EXPECT_EQ(log.take_warning(), "") << "said once";
    most(before.rlim_cur);
    log.flush();
    write_steps(log, 2011, 2020, 1);
  }
  std::signal(SIGXFSZ, forget);
  EXPECT_TRUE(warning.ends_with("; metrics wait until it can be written")) << warning;
  expect_steps(dir.path(), 2020);
  EXPECT_EQ(metrics_stores(dir.path()).size(), 1u);
}

TEST(MetricsLog, ReaderErrorsNameTheFirstStore) {
  const TempDir dir;
  EXPECT_EQ(error_text<DataError>([&] { RunMetrics r(dir.path()); }),
            (dir / "metrics.db") + ": metrics store: unable to open database file");
}

}  // namespace
}  // namespace keel
