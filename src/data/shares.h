// Random probabilities for generated languages, in integers, so that a language is the same on
// every machine and its probabilities sum to exactly 1.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "data/draws.h"

namespace keel {

constexpr uint64_t kOne = uint64_t{1} << 32;  // probability 1

// Fills `shares` with positive numbers whose sum is kOne: squares of uniform draws, so that some
// are much more likely than others. At most 65536 of them.
void draw_shares(Draws& draws, std::span<uint64_t> shares);
double entropy(std::span<const uint64_t> shares);     // nats
double entropy(std::span<const double> probability);  // nats; zeros count nothing

}  // namespace keel
