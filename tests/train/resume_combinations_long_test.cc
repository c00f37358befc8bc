// All rows of the covering array.
#include "resume_combinations.h"

namespace keel::test {
namespace {

class EveryResume : public testing::TestWithParam<size_t> {};

TEST_P(EveryResume, AfterAnyStepHasTheStateOfTheUnbrokenRun) {
  const std::vector<PairRow>& rows = resume_rows();
  for (size_t i = GetParam(); i < rows.size(); i += 8) check_resume(rows[i]);
}

INSTANTIATE_TEST_SUITE_P(Resume, EveryResume, testing::Range<size_t>(0, 8));

}  // namespace
}  // namespace keel::test
