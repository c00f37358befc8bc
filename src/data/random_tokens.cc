#include "data/random_tokens.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace keel {

std::optional<int64_t> RandomTokens::vocab() const {
  return vocab_ > 0 ? std::optional(vocab_) : std::nullopt;
}

std::vector<Misfit> RandomTokens::misfits(const DatasetArgs& args) const {
  if (args.vocab > 0) return {};
  return {
      {"model.vocab", "data.kind = \"random\" needs it: how many ids are there?", {"data.kind"}}};
}

std::vector<OpenedSource> RandomTokens::open(const DatasetArgs& args) {
  vocab_ = args.vocab;
  set_vocab(vocab_);
  return Language::open(args);
}

void RandomTokens::generate(Draws& draws, std::span<int32_t> tokens) const {
  for (int32_t& t : tokens) t = static_cast<int32_t>(draws.below(vocab_));
}

void RandomTokens::surprisal(std::span<const int32_t>, std::span<double> nats) const {
  std::fill(nats.begin(), nats.end(), std::log(static_cast<double>(vocab_)));
}

std::optional<double> RandomTokens::entropy_floor(int64_t) const {
  return vocab_ > 0 ? std::optional(std::log(static_cast<double>(vocab_))) : std::nullopt;
}

}  // namespace keel
