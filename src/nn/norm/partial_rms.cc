#include "nn/norm/partial_rms.h"

#include <algorithm>
#include <cmath>

namespace keel {

void PartialRmsNorm::Config::fields(Fields& f) {
  f("share", share, "share of the values that the root mean square is taken of",
    above(0).at_most(1));
  row_fields(f, "added to the mean square");
}

int64_t PartialRmsNorm::Config::first(int64_t dim) const {
  constexpr double kRounding = 1e-9;  // 0.1 of 30 is 3 values
  const auto k = static_cast<int64_t>(std::ceil(share * static_cast<double>(dim) - kRounding));
  return std::clamp<int64_t>(k, 1, dim);
}

NormForm PartialRmsNorm::Config::form(int64_t dim) const {
  NormForm f = RowNormOptions::form();
  if (first(dim) < dim) f.first = first(dim);
  return f;
}

}  // namespace keel
