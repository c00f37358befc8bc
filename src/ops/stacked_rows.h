// Matrices that are stacked along their first axis, for ops that treat each one by itself.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace keel {

struct StackedRows {
  static constexpr int kMost = 4;  // q, k, v and one more
  std::array<int64_t, kMost> rows{};
  int parts = 0;

  int64_t total() const {
    int64_t n = 0;
    for (int p = 0; p < parts; ++p) n += rows[static_cast<size_t>(p)];
    return n;
  }
};

}  // namespace keel
