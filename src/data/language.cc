#include "data/language.h"

#include <fmt/core.h>

#include <algorithm>

#include "config/print.h"
#include "data/readers.h"

namespace keel {
namespace {

IdTokenizer::Config ids(int64_t vocab, int64_t end) {
  IdTokenizer::Config config;
  config.vocab = vocab;
  config.end = end;
  return config;
}

// Validation windows depend on the language's own seed, so that runs with other seed.data are
// measured on the same ones; the stream names keep the two apart.
class LanguageSource final : public Source {
 public:
  LanguageSource(const Language& language, const DatasetArgs& args, uint64_t language_seed,
                 int64_t val_tokens, std::string fingerprint)
      : language_(language),
        context_(args.context),
        seed_(args.seed),
        language_seed_(language_seed),
        windows_((val_tokens + context_ - 1) / context_),
        fingerprint_(std::move(fingerprint)) {
    std::vector<float> weights(static_cast<size_t>(context_));
    language_.weigh(weights);
    counted_ = std::count(weights.begin(), weights.end(), 1.0f);
  }

  void train_window(int64_t n, const WindowOut& out) const override {
    fill(Draws(seed_, "data.train", static_cast<uint64_t>(n)), out);
  }
  void eval_window(int64_t n, const WindowOut& out) const override {
    fill(Draws(language_seed_, "data.validation", static_cast<uint64_t>(n)), out);
  }
  int64_t train_targets() const override { return 0; }
  int64_t eval_targets() const override { return windows_ * counted_; }
  int64_t eval_windows() const override { return windows_; }
  Place train_place(int64_t n) const override { return {"", "", "window", n}; }
  Place eval_place(int64_t n) const override { return {"", "", "window", n}; }
  int64_t vocab() const override { return *language_.vocab(); }
  std::string fingerprint() const override { return fingerprint_; }

 private:
  // A window has one token more than a row: the targets take all but the first, the inputs all but
  // the last.
  void fill(Draws draws, const WindowOut& out) const {
    thread_local std::vector<int32_t> tokens;
    tokens.resize(static_cast<size_t>(context_) + 1);
    language_.generate(draws, tokens);
    std::copy(tokens.begin(), tokens.end() - 1, out.inputs);
    std::copy(tokens.begin() + 1, tokens.end(), out.targets);
    language_.weigh({out.weights, static_cast<size_t>(context_)});
    if (out.segments) std::fill(out.segments, out.segments + context_, 0);
  }

  const Language& language_;
  int64_t context_;
  uint64_t seed_, language_seed_;
  int64_t windows_;
  int64_t counted_ = 0;
  std::string fingerprint_;
};

}  // namespace

Language::Language(std::string kind, const LanguageOptions& options, int64_t vocab, int64_t end)
    : kind_(std::move(kind)),
      seed_(options.seed),
      val_tokens_(options.val_tokens),
      options_hash_(config_hash(options)),
      tokenizer_(ids(vocab, end)) {}

void Language::set_vocab(int64_t vocab) { tokenizer_ = IdTokenizer(ids(vocab, -1)); }

void Language::weigh(std::span<float> weights) const {
  std::fill(weights.begin(), weights.end(), 1.0f);
}

std::vector<OpenedSource> Language::open(const DatasetArgs& args) {
  std::vector<OpenedSource> result;
  result.push_back({kind_, 1.0,
                    std::make_unique<LanguageSource>(
                        *this, args, static_cast<uint64_t>(seed_), val_tokens_,
                        fmt::format("{} {:016x} {}", kind_, options_hash_, *vocab()))});
  return result;
}

}  // namespace keel
