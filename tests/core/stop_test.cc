#include "core/stop.h"

#include <gtest/gtest.h>

#include <cmath>

namespace keel {
namespace {

TEST(Stop, AFlagIsSeenWhereThereIsAScope) {
  StopRequests requests;
  EXPECT_FALSE(requests.stop_wanted());
  {
    const StopScope scope(requests);
    EXPECT_NO_THROW(stop_point());
    EXPECT_EQ(requests.ask_stop(), 0);
    EXPECT_EQ(requests.ask_stop(), 1);
    EXPECT_THROW(stop_point(), Stopped);
    const StopRequests inner;
    {
      const StopScope within(inner);
      EXPECT_NO_THROW(stop_point());
    }
    EXPECT_THROW(stop_point(), Stopped);
  }
  EXPECT_NO_THROW(stop_point());
  EXPECT_EQ(requests.reason(), "asked to stop");
  requests.clear();
  EXPECT_FALSE(requests.stop_wanted());
}

TEST(Stop, ItsExitCodeIsThatOfAStoppedRun) { EXPECT_EQ(Stopped().exit_code(), 75); }

TEST(Stop, ASaveIsTakenOnce) {
  StopRequests requests;
  EXPECT_FALSE(requests.take_save());
  requests.ask_save();
  requests.ask_save();
  EXPECT_FALSE(requests.stop_wanted());
  EXPECT_TRUE(requests.take_save());
  EXPECT_FALSE(requests.take_save());
}

TEST(Stop, TheEarliestLimitCountsAndKeepsTimeBack) {
  StopRequests requests;
  EXPECT_TRUE(std::isinf(requests.seconds_left()));
  requests.limit(1000, "--max-time");
  requests.limit(2000, "SLURM_JOB_END_TIME");
  EXPECT_NEAR(requests.seconds_left(), 1000, 100);
  EXPECT_FALSE(requests.stop_wanted());
  requests.keep_back(1001);
  EXPECT_TRUE(requests.stop_wanted());
  requests.keep_back(0);
  EXPECT_TRUE(requests.stop_wanted()) << "once wanted it stays so";
  EXPECT_EQ(requests.reason(), "the time of --max-time is nearly up");
}

}  // namespace
}  // namespace keel
