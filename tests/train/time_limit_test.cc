#include "train/time_limit.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "core/error.h"
#include "io/error_text.h"

namespace keel {
namespace {

TEST(TimeLimit, Durations) {
  const auto seconds = [](const char* text) { return parse_duration("--max-time", text); };
  EXPECT_EQ(seconds("3h30m"), 12600);
  EXPECT_EQ(seconds("90s"), 90);
  EXPECT_EQ(seconds("45m"), 2700);
  EXPECT_EQ(seconds("1d12h"), 129600);
  EXPECT_EQ(seconds("1d0h1m1s"), 86461);
  EXPECT_EQ(seconds("100h"), 360000);
}

TEST(TimeLimit, WhatIsNoDuration) {
  for (const char* text : {"", "h", "3", "3x", "-3h", "3h3h", "30m3h", "3.5h", "3 h", "0s", "3h30",
                           "99999999999999999999s"}) {
    EXPECT_EQ(
        error_text<ConfigError>([&] { parse_duration("--max-time", text); }),
        "--max-time: \"" + std::string(text) + "\" is not a time such as 3h30m, 45m, 90s or 1d12h");
  }
}

TEST(TimeLimit, TheEndOfASlurmJob) {
  const auto left = [](const char* value, std::string& note) {
    ::setenv("SLURM_JOB_END_TIME", value, 1);
    note.clear();
    const auto seconds = slurm_seconds_left(1000, note);
    ::unsetenv("SLURM_JOB_END_TIME");
    return seconds;
  };
  std::string note;
  EXPECT_EQ(slurm_seconds_left(1000, note), std::nullopt);
  EXPECT_EQ(left("1500", note), 500);
  EXPECT_EQ(note, "");
  EXPECT_EQ(left("900", note), std::nullopt);
  EXPECT_EQ(note, "SLURM_JOB_END_TIME is past: no heed is paid to it");
  EXPECT_EQ(left("soon", note), std::nullopt);
  EXPECT_EQ(note,
            "SLURM_JOB_END_TIME is \"soon\", which is no time in seconds since 1970: no heed is "
            "paid to it");
}

}  // namespace
}  // namespace keel
