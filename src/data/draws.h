// A sequence of random numbers that belongs to one window or one table row: a pure function of
// (seed, stream, row), read from the front.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "core/philox.h"

namespace keel {

class Draws {
 public:
  Draws(uint64_t seed, std::string_view stream, uint64_t row)
      : key_(philox_key(seed, stream_of(stream), 0)), row_(row) {}

  uint32_t next() {
    if (used_ == 4) {
      block_ = philox_block(key_, row_, index_++);
      used_ = 0;
    }
    return block_[used_++];
  }
  uint64_t next64() {
    const uint64_t high = next();
    return high << 32 | next();
  }
  // Uniform in [0, n), n > 0: the bias of the multiplication is below n / 2^64.
  int64_t below(int64_t n) {
    return static_cast<int64_t>(static_cast<unsigned __int128>(next64()) * n >> 64);
  }
  // [0, 1), 53 bits.
  double uniform() { return static_cast<double>(next64() >> 11) * 0x1p-53; }

 private:
  std::array<uint32_t, 2> key_;
  uint64_t row_;
  uint64_t index_ = 0;
  std::array<uint32_t, 4> block_{};
  int used_ = 4;
};

}  // namespace keel
