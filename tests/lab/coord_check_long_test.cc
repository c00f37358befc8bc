#include "lab/coord_model.h"

namespace keel::test {
namespace {

// Yang et al., arXiv 2203.03466, appendix D.1.
TEST(CoordCheckLong, MupIsFlatFromWidth64To512) {
  const std::vector<int64_t> widths{64, 128, 256, 512};
  const CoordCheck flat = checked(mup(64), widths, 10, 3);
  EXPECT_LT(max_slope(flat), 0.1) << flat.steepest().name;
  EXPECT_GT(max_slope(checked(kStandardAtAHighRate, widths, 10, 1)), 0.5);
}

}  // namespace
}  // namespace keel::test
