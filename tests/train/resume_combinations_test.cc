// A fixed sample; all of it: resume_combinations_long_test.cc.
#include "resume_combinations.h"

namespace keel::test {
namespace {

class ResumeSample : public testing::TestWithParam<size_t> {};

TEST_P(ResumeSample, AfterAnyStepHasTheStateOfTheUnbrokenRun) {
  const std::vector<PairRow>& rows = resume_rows();
  for (size_t i = GetParam(); i < rows.size(); i += 16) check_resume(rows[i]);
}

INSTANTIATE_TEST_SUITE_P(Resume, ResumeSample, testing::Values<size_t>(0));

}  // namespace
}  // namespace keel::test
