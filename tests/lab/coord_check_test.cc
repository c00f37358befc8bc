#include "core/error.h"
#include "lab/coord_model.h"

namespace keel::test {
namespace {

TEST(CoordCheck, SlopeIsThePowerOfTheWidth) {
  const std::vector<int64_t> x{64, 128, 256, 512};
  std::vector<double> y;
  for (const int64_t w : x) y.push_back(3 * std::pow(double(w), -0.5));
  EXPECT_NEAR(log_slope(x, y), -0.5, 1e-12);
  y[2] = 0;
  EXPECT_TRUE(std::isnan(log_slope(x, y)));
  y[2] = HUGE_VAL;
  EXPECT_TRUE(std::isnan(log_slope(x, y)));
}

std::vector<RunConfig> configs(const std::vector<std::string>& sets,
                               const std::vector<int64_t>& widths) {
  const TempDir dir;
  const std::string path = dir.path() + "/run.toml";
  real_fs().write_file(path, kCoordConfig);
  return configs_of_widths(path, sets, widths);
}

TEST(CoordCheck, WidthsKeepTheSizeOfAHead) {
  const auto c =
      configs({"model.heads=4", "model.kv_heads=2", "model.ffn.hidden=80"}, {16, 32, 128});
  const int64_t heads[] = {2, 4, 16}, hidden[] = {40, 80, 320};
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(c[i].model.heads, heads[i]);
    EXPECT_EQ(c[i].model.kv_heads, heads[i] / 2);
    EXPECT_EQ(c[i].model.head_dim_in_force(), 8);
    EXPECT_EQ(c[i].model.ffn.options_as<FfnOptions>().hidden, hidden[i]);
    EXPECT_EQ(c[i].schedule.kind.kind(), "constant");
    EXPECT_EQ(c[i].schedule.warmup, 0);
  }
  EXPECT_EQ(configs({"model.kv_heads=1"}, {64})[0].model.kv_heads, 1);
}

TEST(CoordCheck, RefusesWidthsAtWhichHeadsAreNotWhole) {
  try {
    configs({}, {32, 40});
    FAIL() << "2.5 heads";
  } catch (const ConfigError& e) {
    EXPECT_STREQ(e.what(),
                 "--widths: model.heads is 2 at model.dim 32 and would not be whole at 40: heads "
                 "keep their size");
  }
}

TEST(CoordCheck, LooksAtEveryPartInOrder) {
  const CoordCheck check = checked({}, {16, 32}, 1, 1);
  std::vector<std::string> names;
  for (const CoordSeries& s : check.series) names.push_back(s.name);
  EXPECT_EQ(names, (std::vector<std::string>{"embedding", "blocks.0.attention", "blocks.0.ffn",
                                             "blocks.0.stream", "blocks.1.attention",
                                             "blocks.1.ffn", "blocks.1.stream", "logits"}));
  for (const CoordSeries& s : check.series) {
    ASSERT_EQ(s.activations.size(), 2u);
    ASSERT_EQ(s.slopes.size(), 2u);
    EXPECT_EQ(s.slopes[1], log_slope(check.widths, s.activations[1]));
    EXPECT_NE(s.activations[0], s.activations[1]) << s.name;
  }
  // Normal of deviation 0.02: the mean size is 0.02 sqrt(2 / pi).
  EXPECT_NEAR(check.series[0].activations[0][1], 0.02 * std::sqrt(2 / M_PI), 1.5e-3);
}

// What a width gives does not depend on the others.
TEST(CoordCheck, EveryWidthIsMeasuredByItself) {
  const CoordCheck one = checked({}, {16, 32}, 2, 2), other = checked({}, {32, 64}, 2, 2);
  for (size_t i = 0; i < one.series.size(); ++i) {
    EXPECT_EQ(one.series[i].activations[2][1], other.series[i].activations[2][0]);
  }
}

TEST(CoordCheck, MupIsFlatAndTheStandardParametrisationIsNot) {
  const std::vector<int64_t> widths{32, 64, 128};
  std::vector<std::string> sets = mup(32);
  sets.push_back("optim.lr=0.004");
  const CoordCheck flat = checked(sets, widths, 10, 3);
  // So narrow, muP is not yet as flat as in coord_check_long_test.cc.
  EXPECT_LT(max_slope(flat), 0.15) << flat.steepest().name;
  EXPECT_GT(max_slope(checked(kStandardAtAHighRate, widths, 5, 2)), 0.5);
}

TEST(CoordCheck, PictureHasAPanelForEachKindOfPart) {
  CoordCheck check = checked({}, {16, 32}, 1, 1);
  const std::string svg = coord_check_svg(check);
  EXPECT_TRUE(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
  for (const char* part : {"attention", "feed-forward", "residual stream", "embedding and logits",
                           "after 1 steps", "steepest slope", ">16<", ">32<"}) {
    EXPECT_NE(svg.find(part), std::string::npos) << part;
  }
  size_t lines = 0;
  for (size_t at = 0; (at = svg.find("class=\"l k0\"", at)) != std::string::npos; ++at) ++lines;
  EXPECT_EQ(lines, 2 * check.series.size());
  check.series.back().activations.back()[0] = HUGE_VAL;
  check.series.back().slopes.back() = std::nan("");
  EXPECT_EQ(check.steepest().name, "logits");
  EXPECT_NE(coord_check_svg(check).find("no slope"), std::string::npos);
  EXPECT_EQ(coord_check_svg(check).find("inf"), std::string::npos);
}

}  // namespace
}  // namespace keel::test
