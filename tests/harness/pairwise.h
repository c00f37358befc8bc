// Covering arrays of strength 2: few rows, one level of each factor in a row, in which every two
// levels of two factors meet at least once unless they exclude each other. Greedy (Cohen et al.,
// "The AETG system", 1997), its choices a pure function of the arguments.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

namespace keel::test {

using PairRow = std::vector<size_t>;  // the level of each factor
// Whether level `a` of factor `f` and level `b` of factor `g` may meet.
using PairAllowed = std::function<bool(size_t f, size_t a, size_t g, size_t b)>;

// Throws std::logic_error when a pair that may meet fits into no row that is found.
std::vector<PairRow> covering_rows(const std::vector<size_t>& levels, const PairAllowed& allowed);

}  // namespace keel::test
