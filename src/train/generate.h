// Writing text with a trained model: one token after the other, with a cache of what was read.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizer.h"
#include "models/decoder.h"

namespace keel {

struct GenerateOptions {
  int64_t tokens = 200;             // at most so many new ones
  double temperature = 1.0;         // 0: the likeliest token
  int64_t top_k = 0;                // only the k likeliest; 0: all
  double top_p = 1.0;               // only the likeliest that hold this share (arXiv 1904.09751)
  double min_p = 0.0;               // only those with at least this share of the likeliest's
  double repetition_penalty = 1.0;  // logits of tokens seen: / if positive, * if not (1909.05858)
  int64_t seed = 0;
  bool documents_apart = false;  // the model was trained with data.document_mask
};
// ConfigError naming the option when one is out of range.
void check_options(const GenerateOptions& options);

// The next token under the options: a pure function of its arguments. `draw` numbers the draw.
int32_t sample_token(std::span<const float> logits, std::span<const int32_t> seen,
                     const GenerateOptions& options, uint64_t draw);

// Reads tokens and says what comes next. When the context is full it goes on from its later half.
class Continuation {
 public:
  // With `end`, the id that ends a document, what is read after one begins anew: it does not see
  // what was before, as in training with data.document_mask.
  explicit Continuation(const Decoder& model, std::optional<int32_t> end = std::nullopt);
  // Reads more tokens; logits f32 [vocab] of what follows the last of them. False when the model's
  // positions end before that (a learned table): nothing was read.
  bool read(std::span<const int32_t> tokens);
  std::span<const float> logits() const { return logits_; }
  // All tokens read so far.
  const std::vector<int32_t>& seen() const { return seen_; }

 private:
  void append(std::span<const int32_t> tokens);
  // Where the document begins that the next token belongs to, with `tokens` read.
  size_t document_with(std::span<const int32_t> tokens) const;

  const Decoder& model_;
  std::optional<int32_t> end_;
  std::vector<MixerState> states_;
  std::vector<int32_t> seen_;
  std::vector<float> logits_;
  int64_t filled_ = 0;   // of the context
  size_t document_ = 0;  // the first of seen_ that is in sight
};

struct Generated {
  int64_t tokens = 0;
  bool ended = false;         // the end token came
  bool context_full = false;  // positions ran out
};

// Calls `write` with pieces of text that never cut a UTF-8 character, as they come; the beginning
// of one that the last token leaves unfinished is not written. An empty prompt stands for the start
// of a document.
Generated generate(const Decoder& model, const Tokenizer& tokenizer, std::string_view prompt,
                   const GenerateOptions& options,
                   const std::function<void(std::string_view)>& write);
std::string generate_text(const Decoder& model, const Tokenizer& tokenizer, std::string_view prompt,
                          const GenerateOptions& options);

}  // namespace keel
