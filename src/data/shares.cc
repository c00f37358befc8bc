#include "data/shares.h"

#include <cmath>
#include <numeric>

namespace keel {

void draw_shares(Draws& draws, std::span<uint64_t> shares) {
  uint64_t total = 0;
  for (uint64_t& s : shares) {
    const uint64_t x = 1 + (draws.next() >> 20);
    s = x * x;
    total += s;
  }
  for (uint64_t& s : shares) s = s * (kOne - shares.size()) / total + 1;
  shares[0] += kOne - std::accumulate(shares.begin(), shares.end(), uint64_t{0});
}

double entropy(std::span<const uint64_t> shares) {
  double sum = 0;
  for (const uint64_t s : shares) {
    const double p = static_cast<double>(s) / static_cast<double>(kOne);
    sum -= p * std::log(p);
  }
  return sum;
}

double entropy(std::span<const double> probability) {
  double sum = 0;
  for (const double p : probability) {
    if (p > 0) sum -= p * std::log(p);
  }
  return sum;
}

}  // namespace keel
