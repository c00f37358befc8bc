#include "data/permutation.h"

#include <bit>

#include "core/philox.h"

namespace keel {
namespace {

// Four rounds suffice for indistinguishability with ideal rounds (Luby and Rackoff); small domains
// mix less per round.
constexpr int kRounds = 8;

}  // namespace

Permutation::Permutation(int64_t n, uint64_t key) : n_(static_cast<uint64_t>(n)), key_(key) {
  const int bits = n > 1 ? std::bit_width(n_ - 1) : 1;
  half_bits_ = (bits + 1) / 2;
}

int64_t Permutation::at(int64_t position) const {
  const uint64_t mask = (uint64_t{1} << half_bits_) - 1;
  uint64_t x = static_cast<uint64_t>(position);
  do {
    uint64_t left = x >> half_bits_;
    uint64_t right = x & mask;
    for (int round = 0; round < kRounds; ++round) {
      const uint64_t f = mix64(mix64(key_ + static_cast<uint64_t>(round)) ^ right);
      const uint64_t swapped = left ^ (f & mask);
      left = right;
      right = swapped;
    }
    x = left << half_bits_ | right;
  } while (x >= n_);
  return static_cast<int64_t>(x);
}

}  // namespace keel
