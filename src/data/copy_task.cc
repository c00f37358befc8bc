#include "data/copy_task.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"

namespace keel {

void CopyTask::Config::fields(Fields& f) {
  f("symbols", symbols, "ids to copy; one more separates", between(2, 1 << 20));
  LanguageOptions::fields(f);
}

std::vector<Misfit> CopyTask::misfits(const DatasetArgs& args) const {
  if (args.context >= 2) return {};
  return {{"model.context",
           fmt::format("is {}, data.kind = \"copy\" needs at least 2", args.context),
           {"data.kind"}}};
}

// Of n tokens the first (n - 1) / 2 are copied; with an even n one separator is left over.
void CopyTask::generate(Draws& draws, std::span<int32_t> tokens) const {
  const size_t half = (tokens.size() - 1) / 2;
  for (size_t i = 0; i < half; ++i) {
    tokens[i] = tokens[half + 1 + i] = static_cast<int32_t>(draws.below(symbols_));
  }
  tokens[half] = static_cast<int32_t>(symbols_);
  if (tokens.size() % 2 == 0) tokens.back() = static_cast<int32_t>(symbols_);
}

void CopyTask::weigh(std::span<float> weights) const {
  const size_t half = weights.size() / 2;
  for (size_t t = 0; t < weights.size(); ++t) {
    weights[t] = t >= half && t < 2 * half ? 1.0f : 0.0f;
  }
}

void CopyTask::surprisal(std::span<const int32_t> tokens, std::span<double> nats) const {
  const size_t half = nats.size() / 2;
  for (size_t t = 0; t < nats.size(); ++t) {
    const int32_t target = tokens[t + 1];
    const bool symbol = target >= 0 && target < symbols_;
    bool fits = t + 1 < half ? symbol : target == symbols_;
    if (t >= half && t < 2 * half) fits = target == tokens[t - half];
    const double cost = t + 1 < half ? std::log(static_cast<double>(symbols_)) : 0.0;
    nats[t] = fits ? cost : std::numeric_limits<double>::infinity();
  }
}

}  // namespace keel
