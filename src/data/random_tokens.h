// data.kind = "random": independent, uniform ids out of model.vocab, for measuring speed.
#pragma once

#include <optional>
#include <vector>

#include "data/language.h"

namespace keel {

class RandomTokens final : public Language {
 public:
  struct Config final : LanguageOptions {};
  explicit RandomTokens(const Config& config) : Language("random", config, 0) {}

  std::optional<int64_t> vocab() const override;
  // Refuses a config without model.vocab.
  std::vector<Misfit> misfits(const DatasetArgs& args) const override;
  std::vector<OpenedSource> open(const DatasetArgs& args) override;
  void generate(Draws& draws, std::span<int32_t> tokens) const override;
  void surprisal(std::span<const int32_t> tokens, std::span<double> nats) const override;
  std::optional<double> entropy_floor(int64_t length) const override;

 private:
  int64_t vocab_ = 0;  // known once opened
};

}  // namespace keel
