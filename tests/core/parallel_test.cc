#include "core/parallel.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <cstdlib>
#include <numeric>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "harness/expect_error.h"
#include "harness/sanitized.h"

namespace keel {
namespace {

class Parallel : public ::testing::Test {
 protected:
  void TearDown() override { set_num_threads(0); }
};

TEST_F(Parallel, EachChunkRunsOnce) {
  for (int threads : {1, 2, 3, 8}) {
    set_num_threads(threads);
    EXPECT_EQ(num_threads(), threads);
    for (int64_t chunks : {0, 1, 2, 7, 1000}) {
      std::vector<std::atomic<int>> runs(chunks);
      parallel_for(chunks, [&](int64_t i) { runs[i].fetch_add(1); });
      for (const auto& r : runs) EXPECT_EQ(r.load(), 1);
    }
  }
}

TEST_F(Parallel, RangesCoverEverythingInPiecesOfTheShape) {
  for (int64_t n : {0, 1, 9, 10, 11, 105}) {
    std::vector<std::atomic<int>> seen(n);
    parallel_ranges(n, 10, [&](int64_t begin, int64_t end) {
      EXPECT_EQ(begin % 10, 0);
      EXPECT_EQ(end, std::min(begin + 10, n));
      for (int64_t i = begin; i < end; ++i) seen[i].fetch_add(1);
    });
    for (const auto& s : seen) EXPECT_EQ(s.load(), 1);
  }
}

// Partial sums by chunk, added in order: the same bits with any number of threads.
TEST_F(Parallel, SameBitsWithAnyNumberOfThreads) {
  std::vector<float> x(100003);
  for (size_t i = 0; i < x.size(); ++i) x[i] = 1.0f / static_cast<float>(i + 1);
  auto sum = [&] {
    std::vector<float> partial((x.size() + 999) / 1000);
    parallel_ranges(static_cast<int64_t>(x.size()), 1000, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) partial[begin / 1000] += x[i];
    });
    return std::accumulate(partial.begin(), partial.end(), 0.0f);
  };
  set_num_threads(1);
  const float one = sum();
  for (int threads = 2; threads <= 8; ++threads) {
    set_num_threads(threads);
    EXPECT_EQ(sum(), one);
  }
}

TEST_F(Parallel, ExceptionReachesTheCallerAndThePoolGoesOn) {
  set_num_threads(4);
  for (int round = 0; round < 20; ++round) {
    EXPECT_THROW(parallel_for(100,
                              [](int64_t i) {
                                if (i % 10 == 3) throw std::runtime_error("chunk");
                              }),
                 std::runtime_error);
    std::atomic<int> runs{0};
    parallel_for(100, [&](int64_t) { runs.fetch_add(1); });
    EXPECT_EQ(runs.load(), 100);
  }
}

TEST_F(Parallel, NestedCallsRunInline) {
  set_num_threads(3);
  std::atomic<int> runs{0};
  parallel_for(5, [&](int64_t) {
    const int worker = worker_index();
    parallel_for(7, [&](int64_t) {
      EXPECT_EQ(worker_index(), worker);
      runs.fetch_add(1);
    });
  });
  EXPECT_EQ(runs.load(), 35);
}

TEST_F(Parallel, WorkersAreNumbered) {
  set_num_threads(4);
  EXPECT_EQ(worker_index(), 0);
  parallel_for(200, [](int64_t) {
    EXPECT_GE(worker_index(), 0);
    EXPECT_LT(worker_index(), 4);
  });
}

TEST_F(Parallel, DenormalsAreFlushedOnEveryThread) {
  set_num_threads(3);
  std::atomic<int> kept{0};
  parallel_for(300, [&](int64_t) {
    volatile float small = 1e-38f;
    volatile float smaller = small * 0.01f;
    if (smaller != 0) kept.fetch_add(1);
  });
  EXPECT_EQ(kept.load(), 0);
}

std::atomic<int> greetings{0};

TEST_F(Parallel, HooksRunOnEveryWorkerNowAndLater) {
  set_num_threads(3);
  greetings = 0;
  on_every_worker([] { greetings.fetch_add(1); });
  EXPECT_EQ(greetings.load(), 3);
  set_num_threads(5);  // four new workers; the calling thread has had it
  parallel_for(64, [](int64_t) {});
  EXPECT_EQ(greetings.load(), 3 + 4);
}

// In a process of its own, whose address space has no room for the stacks of 200 threads.
TEST_F(Parallel, ThreadsThatCannotStartAreAnErrorAndTheRestGoOn) {
  if (test::kSanitized) GTEST_SKIP() << "a sanitizer needs more address space itself";
  const auto child = [] {
    set_num_threads(1);
    const rlimit small{rlim_t{1} << 29, rlim_t{1} << 29};
    setrlimit(RLIMIT_AS, &small);
    try {
      set_num_threads(200);
      return 1;
    } catch (const MemoryError& e) {
      const std::string_view text = e.what();
      if (!text.starts_with("train.threads: cannot start 200 threads (")) return 2;
      if (!text.ends_with("); choose fewer")) return 3;
    }
    std::atomic<int> ran{0};
    parallel_for(10, [&](int64_t) { ran.fetch_add(1); });
    return num_threads() == 1 && ran.load() == 10 ? 0 : 4;
  };
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(std::_Exit(child()), ::testing::ExitedWithCode(0), "");
}

TEST_F(Parallel, Errors) {
  for (int n : {-1, kMaxThreads + 1}) {
    test::expect_error<ConfigError>("train.threads: must be between 0 and 256",
                                    [&] { set_num_threads(n); });
  }
}

}  // namespace
}  // namespace keel
