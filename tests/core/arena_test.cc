#include "core/arena.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

#include "core/error.h"
#include "core/tensor.h"
#include "harness/expect_error.h"

namespace keel {
namespace {

constexpr int64_t kBig = 100000;

// A step with overlapping lives; returns where its tensors lay.
std::vector<void*> step(DeviceKind device = DeviceKind::kCpu, int64_t n = kBig) {
  std::vector<void*> at;
  Tensor kept = empty({n}, DType::kF32, device);
  at.push_back(kept.raw());
  for (int i = 0; i < 4; ++i) {
    Tensor a = empty({n + i}, DType::kF32, device), b = empty({3}, DType::kBf16, device);
    if (a.raw()) {
      std::memset(a.raw(), 1 + i, a.bytes());
      std::memset(b.raw(), 99, b.bytes());
      std::memset(kept.raw(), 7, kept.bytes());
      EXPECT_EQ(a.data<char>()[a.bytes() - 1], 1 + i);
      EXPECT_EQ(b.data<char>()[0], 99);
    }
    at.push_back(a.raw());
    at.push_back(b.raw());
  }
  return at;
}

TEST(Arena, SecondStepHasItsPlaceInOneSlab) {
  Arena arena(DeviceKind::kCpu);
  std::vector<void*> first, second, third;
  {
    ArenaScope scope(arena, 1);
    step();
  }
  EXPECT_TRUE(arena.knows(1));
  EXPECT_FALSE(arena.knows(2));
  // Two large tensors are alive at a time, not five.
  EXPECT_LT(arena.bytes(), 3 * kBig * sizeof(float));
  EXPECT_GE(arena.bytes(), 2 * kBig * sizeof(float));
  {
    ArenaScope scope(arena, 1);
    second = step();
  }
  {
    ArenaScope scope(arena, 1);
    third = step();
  }
  EXPECT_EQ(second, third);
  EXPECT_EQ(second[1], second[3]);  // memory of a dead tensor is used again
  EXPECT_EQ(Arena::current(), nullptr);
}

TEST(Arena, EachSignatureHasALayout) {
  Arena arena(DeviceKind::kCpu);
  for (int round = 0; round < 2; ++round) {
    for (uint64_t signature : {1, 2}) {
      ArenaScope scope(arena, signature);
      step(DeviceKind::kCpu, static_cast<int64_t>(signature) * kBig);
    }
  }
  EXPECT_GE(arena.bytes(), 4 * kBig * sizeof(float));
}

TEST(Arena, LayoutsOfAMetaRunFitTheRealOne) {
  Arena meta(DeviceKind::kMeta), real(DeviceKind::kCpu);
  {
    ArenaScope scope(meta, 1);
    step(DeviceKind::kMeta);
  }
  real.adopt(meta);
  EXPECT_TRUE(real.knows(1));
  EXPECT_EQ(real.bytes(), meta.bytes());
  ArenaScope scope(real, 1);
  const std::vector<void*> at = step();
  EXPECT_EQ(at[1], at[3]);
}

TEST(Arena, TensorsOutsideAStepAreHeapMemory) {
  Arena arena(DeviceKind::kCpu);
  Tensor before = empty({4});
  {
    ArenaScope scope(arena, 1);
    before.data<float>()[0] = 5;
    const Tensor lasting = persistent({4}, DType::kF32, DeviceKind::kCpu, "a weight");
    EXPECT_EQ(arena.bytes(), 0u);
  }
  EXPECT_EQ(before.data<float>()[0], 5);
  EXPECT_EQ(arena.bytes(), 0u);
}

TEST(Arena, ScopesNest) {
  Arena outer(DeviceKind::kCpu), inner(DeviceKind::kCpu);
  ArenaScope a(outer, 1);
  {
    ArenaScope b(inner, 1);
    EXPECT_EQ(Arena::current(), &inner);
  }
  EXPECT_EQ(Arena::current(), &outer);
}

TEST(Arena, AStepThatDiffersFromItsSignatureIsAnError) {
  Arena arena(DeviceKind::kCpu);
  {
    ArenaScope scope(arena, 1);
    const Tensor x = empty({16});
  }
  ArenaScope scope(arena, 1);
  test::expect_error<Error>("arena: a step differs from the recorded one of its signature",
                            [] { const Tensor x = empty({4096}); });
}

// The slab of other signatures is not held beside what a recorded step takes.
TEST(Arena, RecordingASecondSignatureDoesNotAddToTheSlab) {
  Arena arena(DeviceKind::kCpu);
  for (uint64_t signature : {1, 1, 2, 2, 1}) {
    ArenaScope scope(arena, signature);
    const std::vector<void*> at = step();
    if (arena.knows(signature)) {
      EXPECT_EQ(at[1], at[3]);
    }
  }
  EXPECT_LT(arena.bytes(), 3 * kBig * sizeof(float));
}

TEST(Arena, AStepThatAnErrorCutShortIsRecordedAgain) {
  Arena arena(DeviceKind::kCpu);
  const auto begin = [&] {
    ArenaScope scope(arena, 1);
    const Tensor x = empty({kBig});
    throw DataError("cut short");
  };
  EXPECT_THROW(begin(), DataError);
  EXPECT_FALSE(arena.knows(1));
  EXPECT_EQ(Arena::current(), nullptr);
  for (int i = 0; i < 2; ++i) {
    ArenaScope scope(arena, 1);
    step();
  }
  EXPECT_TRUE(arena.knows(1));
  EXPECT_THROW(begin(), DataError);  // a known layout stays as it was
  ArenaScope scope(arena, 1);
  step();
}

TEST(Arena, WhatOutlivesItsStepIsAnError) {
  Arena arena(DeviceKind::kCpu);
  for (int round = 0; round < 2; ++round) {  // recorded, then in its place
    Tensor kept;
    {
      ArenaScope scope(arena, 1);
      kept = empty({16});
    }
    test::expect_error<Error>("arena: 1 tensors of an earlier step are still alive",
                              [&] { ArenaScope scope(arena, 1); });
    EXPECT_EQ(Arena::current(), nullptr);
  }
}

TEST(Arena, TensorsOfAnotherDeviceAreNotItsOwn) {
  Arena arena(DeviceKind::kMeta);
  ArenaScope scope(arena, 1);
  const Tensor x = empty({16});
  ASSERT_NE(x.raw(), nullptr);
  EXPECT_EQ(empty({16}, DType::kF32, DeviceKind::kMeta).raw(), nullptr);
}

// What is reserved is the memory of the largest step that is known, and no step moves it.
TEST(Arena, ReservedMemoryIsThatOfEverySignature) {
  Arena meta(DeviceKind::kMeta), arena(DeviceKind::kCpu);
  for (const uint64_t signature : {1, 2}) {
    ArenaScope scope(meta, signature);
    step(DeviceKind::kMeta, signature == 1 ? kBig : 2 * kBig);
  }
  arena.adopt(meta);
  arena.reserve();
  std::vector<void*> large, small;
  {
    ArenaScope scope(arena, 2);
    large = step(DeviceKind::kCpu, 2 * kBig);
  }
  {
    ArenaScope scope(arena, 1);
    small = step();
  }
  EXPECT_EQ(std::min(large[0], large[1]), std::min(small[0], small[1])) << "the slab's beginning";
}

}  // namespace
}  // namespace keel
