#include "lab/text.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "lab/downsample.h"
#include "lab/running_mean.h"

namespace keel {
namespace {

TEST(Text, Counts) {
  EXPECT_EQ(short_count(0), "0");
  EXPECT_EQ(short_count(941), "941");
  EXPECT_EQ(short_count(999.6), "1.00k");
  EXPECT_EQ(short_count(41'234), "41.2k");
  EXPECT_EQ(short_count(999'600), "1.00M");
  EXPECT_EQ(short_count(3.4e9), "3.40G");
  EXPECT_EQ(short_count(-41'234), "-41.2k");
  EXPECT_EQ(short_count(std::nan("")), "-");
}

TEST(Text, Bytes) {
  EXPECT_EQ(short_bytes(0), "0 B");
  EXPECT_EQ(short_bytes(1023), "1023 B");
  EXPECT_EQ(short_bytes(512 << 10), "512 KiB");
  EXPECT_EQ(short_bytes((int64_t{21} << 30) / 10), "2.1 GiB");
  EXPECT_EQ(short_bytes((int64_t{1} << 30) - 1), "1.0 GiB");
}

TEST(Text, Durations) {
  EXPECT_EQ(short_duration(0.4), "00:00:00");
  EXPECT_EQ(short_duration(2470), "00:41:10");
  EXPECT_EQ(short_duration(2 * 86400 + 3 * 3600), "2d 03:00:00");
  EXPECT_EQ(short_duration(-1), "--:--:--");
  EXPECT_EQ(short_duration(std::numeric_limits<double>::infinity()), "--:--:--");
}

TEST(Text, Escapes) {
  EXPECT_EQ(html_escape("<a href='x'>\"&"), "&lt;a href=&#39;x&#39;&gt;&quot;&amp;");
  EXPECT_EQ(script_json("{\"a\":\"</script>&\xE2\x80\xA9\"}"),
            "{\"a\":\"\\u003c/script\\u003e\\u0026\\u2029\"}");
}

Curve noisy(size_t count) {
  Curve curve;
  for (size_t i = 0; i < count; ++i) {
    curve.steps.push_back(static_cast<int64_t>(i));
    curve.values.push_back(std::sin(static_cast<double>(i)) * 0.1);
  }
  return curve;
}

TEST(Downsample, KeepsSpikesEndsAndOrder) {
  Curve curve = noisy(100'000);
  curve.values[54'321] = 9;
  curve.values[77'777] = -9;
  curve.values[30'000] = std::nan("");
  curve.values[30'001] = std::numeric_limits<double>::infinity();
  const Curve out = downsample(curve, 1000);
  EXPECT_LE(out.size(), 1000u);
  EXPECT_GT(out.size(), 500u);
  EXPECT_EQ(out.steps.front(), 0);
  EXPECT_EQ(out.steps.back(), 99'999);
  const auto value_at = [&](int64_t step) {
    for (size_t i = 0; i < out.size(); ++i) {
      if (out.steps[i] == step) return out.values[i];
    }
    return 0.0;
  };
  EXPECT_EQ(value_at(54'321), 9);
  EXPECT_EQ(value_at(77'777), -9);
  EXPECT_TRUE(std::isnan(value_at(30'000)));
  for (size_t i = 1; i < out.size(); ++i) ASSERT_LT(out.steps[i - 1], out.steps[i]);
}

TEST(Downsample, ShortCurvesStayAsTheyAre) {
  const Curve curve = noisy(100);
  EXPECT_EQ(downsample(curve, 100).values, curve.values);
  EXPECT_EQ(downsample(Curve{}, 100).size(), 0u);
}

TEST(Downsample, UnevenStepsStayWithinTheLimit) {
  Curve curve = noisy(5000);
  for (size_t i = 2500; i < 5000; ++i) curve.steps[i] += 1'000'000;
  const Curve out = downsample(curve, 400);
  EXPECT_LE(out.size(), 400u);
  EXPECT_EQ(out.steps.back(), curve.steps.back());
}

TEST(Smooth, IsCentredAndNarrowsTowardsTheEnds) {
  const Curve mean = smooth({{1, 2, 3, 4, 5}, {1, 2, 6, 4, 8}}, 5);
  EXPECT_EQ(mean.values, (std::vector<double>{1, 3, 4.2, 6, 8}));
  const Curve line = smooth({{1, 2, 3, 4}, {9, 7, 5, 3}}, 3);
  EXPECT_EQ(line.values, (std::vector<double>{9, 7, 5, 3})) << "no lag on a falling line";
}

TEST(Smooth, PassesOverWhatIsNotFinite) {
  const Curve mean = smooth({{1, 2, 3}, {4, std::nan(""), 6}}, 3);
  EXPECT_EQ(mean.values, (std::vector<double>{4, 5, 6}));
  EXPECT_TRUE(std::isnan(smooth({{1}, {INFINITY}}, 5).values[0]));
  EXPECT_EQ(smooth(Curve{}, 5).size(), 0u);
  EXPECT_EQ(smooth_window(10), 5u);
  EXPECT_EQ(smooth_window(5000), 101u);
  EXPECT_EQ(smooth_window(1'000'000), 201u);
}

TEST(RunningMean, StartsAtTheFirstValueAndSkipsWhatIsNotFinite) {
  RunningMean mean;
  EXPECT_TRUE(std::isnan(mean.value()));
  for (const double value : {4.0, 4.0, std::nan(""), 4.0}) {
    mean.add(value);
    EXPECT_NEAR(mean.value(), 4, 1e-12);
  }
  RunningMean two(0.5);
  two.add(1);
  two.add(2);
  EXPECT_NEAR(two.value(), (0.25 * 1 + 0.5 * 2) / 0.75, 1e-12);
}

}  // namespace
}  // namespace keel
