// Memory is planned against what there is, taken before the first step, and named when it is short.
#include "core/memory.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "core/named_memory.h"
#include "harness/expect_error.h"
#include "harness/sanitized.h"
#include "io/temp_dir.h"
#include "small_session.h"
#include "train/environment.h"
#include "train/plan.h"

namespace keel::test {
namespace {

class ControlGroups : public testing::Test {
 protected:
  void group(const std::string& folder, const std::string& name, const std::string& text) {
    real_fs().make_dirs(dir_ / folder);
    real_fs().write_file(dir_ / (folder + "/" + name), text);
  }
  uint64_t left(const std::string& groups) { return memory_left_in_groups(groups, dir_ / "cg"); }
  TempDir dir_;
};

TEST_F(ControlGroups, OfVersionTwoEachUpToTheRootCounts) {
  group("cg/a/b", "memory.max", "max\n");
  group("cg/a/b", "memory.current", "100\n");
  EXPECT_EQ(left("0::/a/b\n"), UINT64_MAX);
  group("cg/a", "memory.max", "5000\n");
  group("cg/a", "memory.current", "2000\n");
  EXPECT_EQ(left("0::/a/b\n"), 3000u);
  group("cg/a", "memory.stat", "anon 900\ninactive_file 300\nactive_file 50\n");
  EXPECT_EQ(left("0::/a/b\n"), 3350u) << "pages of files are given back when asked for";
  group("cg", "memory.max", "2500\n");
  group("cg", "memory.current", "2400\n");
  EXPECT_EQ(left("0::/a/b\n"), 100u);
  EXPECT_EQ(left("0::/\n"), 100u);
  EXPECT_EQ(left("0::/elsewhere/c\n"), 100u) << "what is not mounted here";
}

TEST_F(ControlGroups, OfVersionOneToo) {
  group("cg/memory/a", "memory.limit_in_bytes", "7000\n");
  group("cg/memory/a", "memory.usage_in_bytes", "6000\n");
  group("cg/memory/a", "memory.stat", "cache 9\ntotal_inactive_file 400\n");
  EXPECT_EQ(left("5:cpu:/a\n4:memory:/a\n"), 1400u);
  group("cg/memory", "memory.limit_in_bytes", "1000\n");
  group("cg/memory", "memory.usage_in_bytes", "3000\n");
  EXPECT_EQ(left("4:memory:/a\n0::/\n"), 0u);
  EXPECT_EQ(left("5:cpu:/a\n"), UINT64_MAX);
}

TEST(Memory, TheLimitOfTheAddressSpaceCounts) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer answers allocations";
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_AS, &before), 0);
  if (before.rlim_cur != RLIM_INFINITY) GTEST_SKIP() << "a limit is set already";
  rlimit limit = before;
  limit.rlim_cur = rlim_t{1} << 46;
  ASSERT_EQ(::setrlimit(RLIMIT_AS, &limit), 0);
  const uint64_t much = memory_available_bytes();
  limit.rlim_cur = rlim_t{1} << 20;  // less than the process has
  ASSERT_EQ(::setrlimit(RLIMIT_AS, &limit), 0);
  uint64_t little = 0;
  std::string text;
  try {
    little = memory_available_bytes();
    persistent({1 << 20}, DType::kF32, DeviceKind::kCpu, "the weights");
  } catch (const MemoryError& e) {
    text = e.what();
  }
  ASSERT_EQ(::setrlimit(RLIMIT_AS, &before), 0);
  EXPECT_GT(much, uint64_t{1} << 20);
  EXPECT_EQ(little, 1u) << "0 would mean that nobody knows";
  EXPECT_EQ(text, "not enough memory for the weights: 4194304 bytes");
}

TEST(Memory, ABatchThatCannotBeHadIsNamed) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer answers allocations";
  std::vector<int32_t> v;
  expect_error<MemoryError>(
      "not enough memory for the inputs of a batch: 4611686018427387904 bytes",
      [&] { resize_named(v, size_t{1} << 60, "the inputs of a batch"); });
}

// Evaluations, steps whose probes are read and masked documents have their place from the start.
TEST(Memory, IsTakenBeforeTheFirstStepForEveryKindOfStep) {
  const Folder folder;
  const std::vector<std::vector<std::string>> runs = {
      {"log.probes=2"},
      {"log.probes=2", "data.document_mask=true"},
      {"log.probes=0", "data.document_mask=true", "train.ema=0"},
      {"log.probes=2", "optim.qk_clip.tau=100"}};
  for (const std::vector<std::string>& sets : runs) {
    Watcher w;
    Session s = create_session(real_fs(), folder / "run.toml", sets,
                               folder / ("run" + std::to_string(&sets - runs.data())));
    const int64_t planned = s.plan.bytes.activations, taken = heap_bytes_alive();
    EXPECT_EQ(s.trainer->memory().activations, planned);
    run(s, w);
    EXPECT_EQ(s.trainer->memory().activations, planned) << testing::PrintToString(sets);
    EXPECT_EQ(heap_bytes_alive(), taken);
  }
}

}  // namespace
}  // namespace keel::test
