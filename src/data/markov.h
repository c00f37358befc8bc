// data.kind = "markov": a chain of a given order whose entropy is known exactly. The last symbol
// and the classes of those before it (symbol modulo `classes`) choose a row of at most `successors`
// symbols with fixed probabilities. Windows are stretches of the stationary chain.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "data/language.h"

namespace keel {

class Markov final : public Language {
 public:
  struct Config final : LanguageOptions {
    int64_t order = 2;
    int64_t symbols = 64;
    int64_t successors = 8;
    int64_t classes = 8;
    void fields(Fields& f) override;
    void validate(Errors& errors) const override;
  };
  explicit Markov(const Config& config);

  void generate(Draws& draws, std::span<int32_t> tokens) const override;
  void surprisal(std::span<const int32_t> tokens, std::span<double> nats) const override;
  // Exact, by the chain over all contexts: a target that sees fewer than `order` symbols has the
  // entropy of the stationary chain given those alone.
  std::optional<double> entropy_floor(int64_t length) const override;

  struct Successor {
    int32_t symbol;
    uint64_t share;  // probability in units of 2^-32; a row sums to exactly 2^32
  };
  // The successors of a context, the symbols of which are digits to the base `symbols`, the oldest
  // first. symbols^order contexts.
  std::span<const Successor> row(int64_t context) const;
  int64_t contexts() const { return contexts_; }
  // Probability of each context in the stationary chain; sums to 1.
  const std::vector<double>& stationary() const { return stationary_; }

 private:
  int64_t row_index(int64_t context) const;
  void make_rows();
  void find_stationary();
  void step(const std::vector<double>& from, std::vector<double>& to) const;
  // Probability of each string of `length` symbols, 1 <= length <= order.
  std::vector<double> marginal(int64_t length) const;

  Config config_;
  int64_t contexts_ = 1;
  std::vector<Successor> rows_;  // [row][successors]
  std::vector<double> stationary_;
  std::vector<double> cumulative_;              // of stationary_
  std::vector<std::vector<double>> marginals_;  // [length - 1]
};

}  // namespace keel
