// Bytes of a large file from end to end, in pieces of some milliseconds: between two of them a stop
// is heeded (core/stop.h).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "core/stop.h"
#include "io/hash.h"

namespace keel {

// f(begin, end) over [0, n), `piece` at a time.
template <class F>
void in_pieces(int64_t n, int64_t piece, F&& f) {
  for (int64_t at = 0; at < n; at += piece) {
    stop_point();
    f(at, std::min(n, at + piece));
  }
}

constexpr int64_t kPieceBytes = int64_t{16} << 20;

inline void hash_in_pieces(Xxh3& hash, const std::byte* data, size_t bytes) {
  in_pieces(static_cast<int64_t>(bytes), kPieceBytes, [&](int64_t begin, int64_t end) {
    hash.update(data + begin, static_cast<size_t>(end - begin));
  });
}

}  // namespace keel
