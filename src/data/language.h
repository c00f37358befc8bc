// A generated kind of data: nothing is stored, window n is drawn from (seed, n) alone.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/config.h"
#include "data/draws.h"
#include "data/id_tokenizer.h"
#include "data/source.h"

namespace keel {

class Language : public Reader {
 public:
  std::optional<int64_t> vocab() const override { return tokenizer_.vocab(); }
  const Tokenizer& tokenizer() const final { return tokenizer_; }
  std::vector<OpenedSource> open(const DatasetArgs& args) override;

  // Fills one window: context + 1 tokens. Thread-safe.
  virtual void generate(Draws& draws, std::span<int32_t> tokens) const = 0;
  // 1 for targets that count, 0 for those that nothing foretells. weights[t] belongs to the target
  // tokens[t + 1].
  virtual void weigh(std::span<float> weights) const;
  // Surprisal in nats of each target given all tokens before it in the window, under the language
  // itself: nats[t] = -log p(tokens[t + 1] | tokens[0..t]); infinite for what it cannot produce.
  virtual void surprisal(std::span<const int32_t> tokens, std::span<double> nats) const = 0;

 protected:
  // `end`: the id that ends a sentence, -1 for none.
  Language(std::string kind, const LanguageOptions& options, int64_t vocab, int64_t end = -1);
  void set_vocab(int64_t vocab);

 private:
  std::string kind_;
  int64_t seed_, val_tokens_;
  uint64_t options_hash_;
  IdTokenizer tokenizer_;
};

}  // namespace keel
