// Which of several sources a sequence is drawn from. Sequence n goes to source i as soon as the
// exact share of i has come round again, so that after any n sequences each source has had its
// share to within one for each source before it in the list, and a position within the source is
// known without walking there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace keel {

class Mixture {
 public:
  Mixture() = default;
  // Weights >= 0, at least one above 0. The seed shifts where in its turn each source begins.
  Mixture(const std::vector<double>& weights, uint64_t seed);
  // {source, number of earlier sequences of that source}, for 0 <= n < 2^62.
  std::pair<size_t, int64_t> at(int64_t n) const;
  // How many of the first n sequences each source has.
  std::vector<int64_t> counts(int64_t n) const;

 private:
  struct Turn {
    uint64_t share = 0;  // of what the sources before it left over, in units of 2^-48
    uint64_t phase = 0;  // < 2^48
  };
  std::vector<Turn> turns_;
};

}  // namespace keel
