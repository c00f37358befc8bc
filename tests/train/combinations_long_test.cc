// All of the covering array, and that what it leaves out is what validate() refuses.
#include "combination_check.h"

namespace keel::test {
namespace {

class EveryCombination : public testing::TestWithParam<size_t> {};

TEST_P(EveryCombination, TrainsResumesAndGenerates) {
  const std::vector<PairRow>& rows = combinations();
  for (size_t i = GetParam(); i < rows.size(); i += 8) check_combination(rows[i]);
}

INSTANTIATE_TEST_SUITE_P(Combinations, EveryCombination, testing::Range<size_t>(0, 8));

bool refused(std::vector<std::string> sets, const std::vector<std::string>& more) {
  sets.insert(sets.end(), more.begin(), more.end());
  RunConfig config;
  try {
    load_config_text("test.toml", kCombinationRun, sets, config);
  } catch (const ConfigError&) {
    return true;
  }
  return false;
}

// Other factors are at their defaults, but for those that a level by itself cannot be with.
TEST(Combinations, AreRefusedExactlyWhereTheyExcludeEachOther) {
  const auto& all = factors();
  for (size_t f = 0; f < all.size(); ++f) {
    for (size_t g = f + 1; g < all.size(); ++g) {
      for (size_t a = 0; a < all[f].levels.size(); ++a) {
        for (size_t b = 0; b < all[g].levels.size(); ++b) {
          std::vector<std::string> sets;
          const std::string x = label(all[f], a), y = label(all[g], b);
          const std::string both = x + " " + y;
          if (both.find("init:mup") != both.npos && both.find("optimizer:") == both.npos) {
            sets.emplace_back("optim.weight_decay=0");
          }
          if (both.find("heads:odd") != both.npos && both.find("position:") == both.npos) {
            sets.emplace_back("model.position.kind=none");
          }
          if (both.find("init:mup_zero") != both.npos && both.find("tied:") == both.npos) {
            sets.emplace_back("model.tied=false");
          }
          sets.insert(sets.end(), all[f].levels[a].sets.begin(), all[f].levels[a].sets.end());
          EXPECT_EQ(refused(sets, all[g].levels[b].sets), excluded(x, y)) << both;
        }
      }
    }
  }
}

}  // namespace
}  // namespace keel::test
