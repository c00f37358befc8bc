// A few limits; all of them: address_space_long_test.cc.
#include "address_space.h"

namespace keel {
namespace {

TEST(AddressSpace, ARunTrainsOrIsRefusedBeforeItsFirstStep) {
  if (test::kSanitized) GTEST_SKIP() << "a sanitizer answers allocations";
  const LargeStep run;
  const uint64_t percent = run.planned() / 100;
  EXPECT_FALSE(run.under(30 * percent));
  EXPECT_FALSE(run.under(95 * percent));
  EXPECT_TRUE(run.under(8 * run.planned()));
}

}  // namespace
}  // namespace keel
