#include "data/recall.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"

namespace keel {

void Recall::Config::fields(Fields& f) {
  f("keys", keys, "ids that ask", between(1, 1 << 20));
  f("values", values, "ids that answer", between(2, 1 << 20));
  f("pairs", pairs, "pairs to remember in a window, each with its own key", between(1, 1 << 16));
  LanguageOptions::fields(f);
}

void Recall::Config::validate(Errors& errors) const {
  if (pairs > keys) errors.add("pairs", "is more than there are keys", {"keys"});
}

std::vector<Misfit> Recall::misfits(const DatasetArgs& args) const {
  const int64_t needed = 2 * config_.pairs + 1;
  if (args.context >= needed) return {};
  return {{"model.context",
           fmt::format("is {}, data.kind = \"recall\" with {} pairs needs at "
                       "least {}",
                       args.context, config_.pairs, needed),
           {"data.kind", "data.pairs"}}};
}

void Recall::generate(Draws& draws, std::span<int32_t> tokens) const {
  const auto pairs = static_cast<size_t>(config_.pairs);
  for (size_t p = 0; p < pairs;) {
    const auto key = static_cast<int32_t>(draws.below(config_.keys));
    bool taken = false;
    for (size_t q = 0; q < p; ++q) taken |= tokens[2 * q] == key;
    if (taken) continue;
    tokens[2 * p] = key;
    tokens[2 * p + 1] = static_cast<int32_t>(config_.keys + draws.below(config_.values));
    ++p;
  }
  for (size_t at = 2 * pairs; at < tokens.size(); at += 2) {
    const auto asked = static_cast<size_t>(draws.below(config_.pairs));
    tokens[at] = tokens[2 * asked];
    if (at + 1 < tokens.size()) tokens[at + 1] = tokens[2 * asked + 1];
  }
}

void Recall::weigh(std::span<float> weights) const {
  for (size_t t = 0; t < weights.size(); ++t) {
    const bool answer = t % 2 == 0 && t >= static_cast<size_t>(2 * config_.pairs);
    weights[t] = answer ? 1.0f : 0.0f;
  }
}

void Recall::surprisal(std::span<const int32_t> tokens, std::span<double> nats) const {
  const auto told = static_cast<size_t>(2 * config_.pairs);
  for (size_t t = 0; t < nats.size(); ++t) {
    const int32_t target = tokens[t + 1];
    const bool key = t % 2 == 1;
    const auto end = tokens.begin() + static_cast<ptrdiff_t>(std::min(t + 1, told));
    // The place of the key among the pairs: of the target itself, or of the key before it.
    auto at = tokens.begin();
    while (at < end && *at != (key ? target : tokens[t])) at += 2;
    const auto earlier = static_cast<int64_t>(t + 1) / 2;  // keys
    double ways = 0;
    if (t + 1 < told) {
      const bool fresh = key && at >= end && target >= 0 && target < config_.keys;
      const bool value = !key && target >= config_.keys && target < config_.keys + config_.values;
      if (fresh) ways = static_cast<double>(config_.keys - earlier);
      if (value) ways = static_cast<double>(config_.values);
    } else if (at < end) {
      if (key) ways = static_cast<double>(config_.pairs);
      if (!key && at[1] == target) ways = 1;
    }
    nats[t] = ways > 0 ? std::log(ways) : std::numeric_limits<double>::infinity();
  }
}

}  // namespace keel
