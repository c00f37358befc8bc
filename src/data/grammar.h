// data.kind = "grammar": sentences of a probabilistic context-free grammar, each ended by the id
// `symbols`. Each production begins with a terminal, and those of one nonterminal with different
// ones (a simple grammar: Korenjak and Hopcroft, 1966), so that the next token always tells which
// production was taken: no string has two derivations, and all that is uncertain about a token is
// the choice of a production for the nonterminal that is due.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "data/language.h"

namespace keel {

class Grammar final : public Language {
 public:
  struct Config final : LanguageOptions {
    int64_t symbols = 64;
    int64_t nonterminals = 16;
    int64_t productions = 6;
    void fields(Fields& f) override;
    void validate(Errors& errors) const override;
  };
  explicit Grammar(const Config& config);

  // Windows start at a sentence; the next sentence follows each until the window is full.
  void generate(Draws& draws, std::span<int32_t> tokens) const override;
  void surprisal(std::span<const int32_t> tokens, std::span<double> nats) const override;
  // Exact: the expected entropy of the choice that is due at each position, from the distribution
  // of the lengths of all that may stand before it.
  std::optional<double> entropy_floor(int64_t length) const override;

  // Symbols: a terminal is its id, nonterminal i is -1 - i.
  struct Production {
    std::vector<int32_t> body;  // begins with a terminal
    uint64_t share;             // probability in units of 2^-32
  };
  // Nonterminal 0 is the sentence.
  const std::vector<std::vector<Production>>& productions() const { return productions_; }
  int32_t end() const { return end_; }

 private:
  void make_nonterminal(int64_t index, const Config& config);

  std::vector<std::vector<Production>> productions_;  // [nonterminal]
  std::vector<double> entropies_;                     // of the choice, nats
  int32_t end_;
};

}  // namespace keel
