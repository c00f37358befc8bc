// data.kind = "recall": pairs of a key and its value, then keys again, each followed by the value
// that it was paired with. Only those values count, so the floor is 0. Keys are the ids below
// `keys`, values the `values` ids after them.
#pragma once

#include <optional>

#include "data/language.h"

namespace keel {

class Recall final : public Language {
 public:
  struct Config final : LanguageOptions {
    int64_t keys = 64;
    int64_t values = 64;
    int64_t pairs = 8;
    void fields(Fields& f) override;
    void validate(Errors& errors) const override;
  };
  explicit Recall(const Config& config)
      : Language("recall", config, config.keys + config.values), config_(config) {}

  // Refuses a context with no room for a question after the pairs.
  std::vector<Misfit> misfits(const DatasetArgs& args) const override;
  void generate(Draws& draws, std::span<int32_t> tokens) const override;
  void weigh(std::span<float> weights) const override;
  // Keys and first values are uniform over what they may be.
  void surprisal(std::span<const int32_t> tokens, std::span<double> nats) const override;
  std::optional<double> entropy_floor(int64_t) const override { return 0.0; }

 private:
  Config config_;
};

}  // namespace keel
