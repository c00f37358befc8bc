// data.kind = "copy": random symbols, a separator (id `symbols`), and the same symbols again. Only
// the second half counts, so the floor is 0: each counted token is determined.
#pragma once

#include <optional>

#include "data/language.h"

namespace keel {

class CopyTask final : public Language {
 public:
  struct Config final : LanguageOptions {
    int64_t symbols = 64;
    void fields(Fields& f) override;
  };
  explicit CopyTask(const Config& config)
      : Language("copy", config, config.symbols + 1), symbols_(config.symbols) {}

  // Refuses a context below 2, in which nothing can be copied.
  std::vector<Misfit> misfits(const DatasetArgs& args) const override;
  void generate(Draws& draws, std::span<int32_t> tokens) const override;
  void weigh(std::span<float> weights) const override;
  void surprisal(std::span<const int32_t> tokens, std::span<double> nats) const override;
  std::optional<double> entropy_floor(int64_t) const override { return 0.0; }

 private:
  int64_t symbols_;
};

}  // namespace keel
