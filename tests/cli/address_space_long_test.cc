// From a tenth of the planned memory to beyond what the run takes in all.
#include <cstdio>

#include "address_space.h"

namespace keel {
namespace {

TEST(AddressSpace, ARunTrainsOrIsRefusedBeforeItsFirstStepAtEveryLimit) {
  if (test::kSanitized) GTEST_SKIP() << "a sanitizer answers allocations";
  const LargeStep run;
  const uint64_t percent = run.planned() / 100;
  int trained = 0, refused = 0;
  const auto sweep = [&](uint64_t from, uint64_t to, uint64_t by) {
    for (uint64_t p = from; p <= to; p += by) (run.under(p * percent) ? trained : refused) += 1;
  };
  sweep(10, 120, 5);
  std::printf("10 to 120 %% of a plan of %.0f MiB: %d trained, %d refused\n",
              static_cast<double>(run.planned()) / 1048576, trained, refused);
  sweep(125, 300, 5);
  std::printf("10 to 300 %%: %d trained, %d refused\n", trained, refused);
  EXPECT_GT(trained, 0);
}

}  // namespace
}  // namespace keel
