// A random-looking order of 0 .. n - 1 that is computed, not stored: a Feistel network over the
// smallest even number of bits that holds n, walked along its cycle until it lands below n
// (Black and Rogaway, 2002). Any position can be asked for at once.
#pragma once

#include <cstdint>

namespace keel {

class Permutation {
 public:
  // 1 <= n <= 2^62. Equal n and key give the same order.
  Permutation(int64_t n, uint64_t key);
  // The element at `position`, 0 <= position < n. On average fewer than four rounds of the walk.
  int64_t at(int64_t position) const;

 private:
  uint64_t n_;
  uint64_t key_;
  int half_bits_;
};

}  // namespace keel
