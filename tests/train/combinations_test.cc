// A fixed sample of the covering array; all of it: combinations_long_test.cc.
#include <cstdio>

#include "combination_check.h"

namespace keel::test {
namespace {

class Sample : public testing::TestWithParam<size_t> {};

TEST_P(Sample, TrainsResumesAndGenerates) {
  const std::vector<PairRow>& rows = combinations();
  for (size_t i = GetParam(); i < rows.size(); i += 40) check_combination(rows[i]);
}

INSTANTIATE_TEST_SUITE_P(Combinations, Sample, testing::Range<size_t>(0, 40, 5));

// Every two levels that do not exclude each other meet in a row.
TEST(Combinations, CoverEveryPair) {
  const std::vector<PairRow>& rows = combinations();
  size_t pairs = 0;
  for (size_t f = 0; f < factors().size(); ++f) {
    for (size_t g = f + 1; g < factors().size(); ++g) {
      for (size_t a = 0; a < factors()[f].levels.size(); ++a) {
        for (size_t b = 0; b < factors()[g].levels.size(); ++b) {
          size_t met = 0;
          for (const PairRow& row : rows) met += row[f] == a && row[g] == b;
          const std::string x = label(factors()[f], a), y = label(factors()[g], b);
          EXPECT_EQ(met == 0, excluded(x, y)) << x << " " << y;
          pairs += met > 0;
        }
      }
    }
  }
  std::printf("%zu factors, %zu pairs in %zu rows\n", factors().size(), pairs, rows.size());
}

}  // namespace
}  // namespace keel::test
