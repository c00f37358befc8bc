#include "core/philox.h"

#include <gtest/gtest.h>

#include <set>

namespace keel {
namespace {

using Block = std::array<uint32_t, 4>;

// The known-answer vectors that come with Random123 (Salmon et al., SC 2011): philox4x32, 10
// rounds.
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}),
            (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, BlocksUseAllBitsOfRowAndBlock) {
  const auto key = philox_key(1, 2, 3);
  std::set<Block> seen;
  for (uint64_t n : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 31, uint64_t{1} << 32}) {
    seen.insert(philox_block(key, n, 7));
    seen.insert(philox_block(key, 7, n));
  }
  EXPECT_EQ(seen.size(), 8);
}

TEST(Philox, KeysDifferInSeedStreamAndStep) {
  std::set<std::array<uint32_t, 2>> keys;
  for (uint64_t seed : {0, 1, 2}) {
    for (const char* name : {"", "a", "b", "layer 0", "layer 1"}) {
      for (uint64_t step = 0; step < 20; ++step) {
        keys.insert(philox_key(seed, stream_of(name), step));
      }
    }
  }
  EXPECT_EQ(keys.size(), 3 * 5 * 20);
}

TEST(Philox, UniformNumbersAreAboveZeroAndAtMostOne) {
  EXPECT_EQ(uniform_open(0), 0x1p-24f);
  EXPECT_EQ(uniform_open(~0u), 1.0f);
}

}  // namespace
}  // namespace keel
