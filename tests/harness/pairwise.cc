#include "harness/pairwise.h"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <optional>
#include <stdexcept>

namespace keel::test {
namespace {

constexpr int kCandidates = 40;
constexpr size_t kOpen = ~size_t{0};

uint64_t mixed(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

class Array {
 public:
  Array(const std::vector<size_t>& levels, const PairAllowed& allowed) : levels_(levels) {
    for (const size_t n : levels) {
      first_.push_back(total_);
      total_ += n;
    }
    state_.assign(total_ * total_, kExcluded);
    for (size_t f = 0; f < levels.size(); ++f) {
      for (size_t g = f + 1; g < levels.size(); ++g) {
        for (size_t a = 0; a < levels[f]; ++a) {
          for (size_t b = 0; b < levels[g]; ++b) {
            if (allowed(f, a, g, b)) set(f, a, g, b, kNew);
          }
        }
      }
    }
  }

  std::vector<PairRow> rows() {
    std::vector<PairRow> out;
    while (const auto pair = uncovered()) {
      PairRow best;
      size_t most = 0;
      for (int c = 0; c < kCandidates; ++c) {
        const PairRow row = candidate(*pair, mixed(out.size() * kCandidates + size_t(c) + 1));
        const size_t n = row.empty() ? 0 : newly(row);
        if (n <= most) continue;
        most = n;
        best = row;
      }
      if (best.empty()) throw std::logic_error("covering_rows: a pair fits into no row");
      cover(best);
      out.push_back(best);
    }
    return out;
  }

 private:
  enum State : uint8_t { kExcluded, kNew, kCovered };
  struct Pair {
    size_t f, a, g, b;
  };

  State& at(size_t f, size_t a, size_t g, size_t b) {
    return state_[(first_[f] + a) * total_ + first_[g] + b];
  }
  void set(size_t f, size_t a, size_t g, size_t b, State s) { at(f, a, g, b) = at(g, b, f, a) = s; }

  std::optional<Pair> uncovered() {
    for (size_t f = 0; f < levels_.size(); ++f) {
      for (size_t a = 0; a < levels_[f]; ++a) {
        for (size_t g = f + 1; g < levels_.size(); ++g) {
          for (size_t b = 0; b < levels_[g]; ++b) {
            if (at(f, a, g, b) == kNew) return Pair{f, a, g, b};
          }
        }
      }
    }
    return std::nullopt;
  }

  // New pairs that level `a` of `f` would make with what is chosen; nothing if it cannot be there.
  std::optional<size_t> gain(const PairRow& row, size_t f, size_t a) {
    size_t n = 0;
    for (size_t g = 0; g < row.size(); ++g) {
      if (row[g] == kOpen || g == f) continue;
      const State s = at(f, a, g, row[g]);
      if (s == kExcluded) return std::nullopt;
      n += s == kNew;
    }
    return n;
  }

  size_t best_level(const PairRow& row, size_t f, uint64_t seed) {
    std::optional<size_t> most;
    size_t best = kOpen;
    for (size_t i = 0; i < levels_[f]; ++i) {
      const size_t a = (i + seed) % levels_[f];
      const auto n = gain(row, f, a);
      if (!n || (most && *n <= *most)) continue;
      most = n;
      best = a;
    }
    return best;
  }

  // Empty when the choices that were made leave a factor without a level.
  PairRow candidate(const Pair& pair, uint64_t seed) {
    PairRow row(levels_.size(), kOpen);
    row[pair.f] = pair.a;
    row[pair.g] = pair.b;
    std::vector<size_t> order(levels_.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::sort(order.begin(), order.end(), [&](size_t x, size_t y) {
      return mixed(seed + x * 0x9e3779b97f4a7c15u) < mixed(seed + y * 0x9e3779b97f4a7c15u);
    });
    for (const size_t f : order) {
      if (row[f] != kOpen) continue;
      row[f] = best_level(row, f, seed);
      if (row[f] == kOpen) return {};
    }
    return row;
  }

  size_t newly(const PairRow& row) {
    size_t n = 0;
    for (size_t f = 0; f < row.size(); ++f) {
      for (size_t g = f + 1; g < row.size(); ++g) n += at(f, row[f], g, row[g]) == kNew;
    }
    return n;
  }

  void cover(const PairRow& row) {
    for (size_t f = 0; f < row.size(); ++f) {
      for (size_t g = f + 1; g < row.size(); ++g) set(f, row[f], g, row[g], kCovered);
    }
  }

  const std::vector<size_t>& levels_;
  std::vector<size_t> first_;
  size_t total_ = 0;
  std::vector<State> state_;
};

}  // namespace

std::vector<PairRow> covering_rows(const std::vector<size_t>& levels, const PairAllowed& allowed) {
  return Array(levels, allowed).rows();
}

}  // namespace keel::test
