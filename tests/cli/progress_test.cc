#include "cli/progress.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

namespace keel {
namespace {

StepReport report(int64_t step) {
  StepReport r;
  r.step = step;
  r.total_steps = 5000;
  r.loss = 3.412;
  r.grad_norm = 0.81;
  r.rate = 5.9e-4;
  r.tokens = 4096;
  r.step_seconds = 0.1;
  r.memory_bytes = (int64_t{21} << 30) / 10;
  return r;
}

ProgressMeans means() { return {3.44, 41'200, 2470}; }

// A FILE* in memory whose text can be read back.
class Memory {
 public:
  Memory() : file_(open_memstream(&text_, &size_)) {}
  ~Memory() {
    std::fclose(file_);
    std::free(text_);
  }
  std::FILE* file() { return file_; }
  std::string text() {
    std::fflush(file_);
    return std::string(text_, size_);
  }

 private:
  char* text_ = nullptr;
  size_t size_ = 0;
  std::FILE* file_;
};

TEST(ProgressLine, HasEveryField) {
  EXPECT_EQ(progress_line(report(1200), means(), 0, false),
            "step  1200/5000 24% | loss 3.412 (mean 3.440) | gnorm 0.81 | lr 5.9e-04 | 41.2k tok/s "
            "| mem 2.1 GiB | left 00:41:10");
}

TEST(ProgressLine, DropsFieldsThatDoNotFit) {
  const std::string full = progress_line(report(1200), means(), 0, false);
  for (int columns = 20; columns < 140; ++columns) {
    const std::string line = progress_line(report(1200), means(), columns, false);
    EXPECT_LE(line.size(), static_cast<size_t>(columns));
    EXPECT_TRUE(full.starts_with(line));
  }
  EXPECT_EQ(progress_line(report(1200), means(), 50, false),
            "step  1200/5000 24% | loss 3.412 (mean 3.440)");
}

TEST(ProgressLine, ColourTakesNoColumn) {
  const std::string line = progress_line(report(1200), means(), 50, true);
  EXPECT_EQ(line, "step  1200/5000 24% | loss \x1b[1m3.412\x1b[0m (mean 3.440)");
}

TEST(ProgressLine, ShowsALossThatIsNotFinite) {
  StepReport bad = report(1200);
  bad.loss = -std::nan("");
  EXPECT_NE(progress_line(bad, means(), 0, false).find("loss nan (mean 3.440)"), std::string::npos);
  EXPECT_NE(progress_line(bad, means(), 0, true).find("\x1b[1;31mnan\x1b[0m"), std::string::npos);
  bad.loss = INFINITY;
  EXPECT_NE(progress_line(bad, {std::nan(""), 0, -1}, 0, false).find("loss inf | gnorm"),
            std::string::npos);
}

TEST(Progress, PlainLinesEveryNAndFirstAndLast) {
  Memory out;
  Progress progress(out.file(), {.every = 10});
  for (int64_t step = 1; step <= 25; ++step) {
    StepReport r = report(step);
    r.total_steps = 25;
    progress.step(r, 0.1 * static_cast<double>(step));
  }
  progress.finish();
  const std::string text = out.text();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 4);
  for (const char* line :
       {"step   1/25 4%", "step  10/25 40%", "step  20/25 80%", "step  25/25 100%"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line;
  }
  EXPECT_EQ(text.find('\r'), std::string::npos);
  EXPECT_NE(text.find("41.0k tok/s | mem 2.1 GiB | left 00:00:02"), std::string::npos) << text;
  EXPECT_NE(text.find("left 00:00:00"), std::string::npos);
}

TEST(Progress, TheLiveLineIsRedrawnAtMostTenTimesASecond) {
  Memory out;
  Progress progress(out.file(), {.live = true, .columns = 60});
  for (int64_t step = 1; step <= 100; ++step)
    progress.step(report(step), 0.01 * static_cast<double>(step));
  const std::string text = out.text();
  const auto drawn = std::count(text.begin(), text.end(), '\r');
  EXPECT_GE(drawn, 9);
  EXPECT_LE(drawn, 11);
  EXPECT_EQ(text.find('\n'), std::string::npos);
  progress.finish();
  EXPECT_TRUE(out.text().ends_with("\n"));
}

TEST(Progress, NotesStandAboveTheLiveLine) {
  Memory out;
  Progress progress(out.file(), {.live = true, .columns = 40});
  progress.step(report(1), 0);
  progress.note("validation loss 3.5");
  EXPECT_TRUE(out.text().ends_with("\rvalidation loss 3.5\x1b[K\nstep     1/5000 0%"))
      << out.text();
}

TEST(Progress, QuietWritesOnlyWhatIsImportant) {
  Memory out;
  Progress progress(out.file(), {.live = true, .quiet = true});
  progress.step(report(1), 0);
  progress.note("saved");
  progress.note("the loss is nan at step 7", true);
  progress.finish();
  EXPECT_EQ(out.text(), "the loss is nan at step 7\n");
}

TEST(ProgressOptions, AFileIsNoTerminal) {
  std::FILE* file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  const ProgressOptions options = progress_options(file, false, 0);
  EXPECT_FALSE(options.live);
  EXPECT_FALSE(options.colour);
  EXPECT_EQ(options.every, 1);
  std::fclose(file);
}

}  // namespace
}  // namespace keel
