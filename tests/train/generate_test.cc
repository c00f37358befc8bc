#include "train/generate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "data/byte_tokenizer.h"
#include "harness/expect_error.h"
#include "models/variants.h"
#include "small_run.h"

namespace keel::test {
namespace {

struct Model : SmallRun {
  explicit Model(std::vector<std::string> sets = {}) : SmallRun(kMarkovRun, with(sets)) {}
  const Decoder& operator*() const { return trainer->model(); }
  static std::vector<std::string> with(std::vector<std::string> sets) {
    sets.push_back("model.init.deviation=0.2");
    return sets;
  }
};

std::vector<int32_t> some_tokens(int n) {
  std::vector<int32_t> out;
  for (int i = 0; i < n; ++i) out.push_back(i * i * 7 % 64);
  return out;
}

// Logits of what follows the last of the tokens, in one pass and without a cache.
std::vector<float> uncached(const Decoder& model, std::span<const int32_t> tokens) {
  NoGrad off;
  Pass pass;
  const auto n = static_cast<int64_t>(tokens.size());
  pass.tokens = from_host({1, n}, tokens);
  return to_host(model.logits(pass).t.slice(1, n - 1, n));
}

void expect_close(std::span<const float> a, std::span<const float> b, const std::string& where) {
  ASSERT_EQ(a.size(), b.size());
  float largest = 1, error = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, std::abs(b[i]));
    error = std::max(error, std::abs(a[i] - b[i]));
  }
  EXPECT_LE(error, 1e-5f * largest) << where;
}

TEST(Generate, CachedLogitsEqualUncached) {
  std::vector<std::vector<std::string>> models = {
      {},
      {"model.kv_heads=2", "model.attention.qk_norm.kind=rms", "model.tied=false"},
      {"model.position.kind=learned", "model.norm.kind=layer", "model.bias=true",
       "model.ffn.kind=gelu"},
      {"model.position.kind=none", "model.placement.kind=post",
       "model.attention.qk_norm.kind=layer"}};
  for (const std::string& kind : attention_switches("model.")) models.push_back({kind});
  for (const std::string& kind : positions().names()) {
    models.push_back({"model.position.kind=" + kind});
  }
  models.push_back({"model.attention={softcap=2, learned_scale='head', sink='learned', window=7}",
                    "model.position.kind=t5"});
  const std::vector<int32_t> tokens = some_tokens(24);
  for (const auto& sets : models) {
    const Model model(sets);
    Continuation c(*model);
    size_t at = 0;
    for (const size_t n : {5, 1, 1, 7, 2, 1, 1, 6}) {
      EXPECT_TRUE(c.read(std::span(tokens).subspan(at, n)));
      at += n;
      expect_close(c.logits(), uncached(*model, std::span(tokens).first(at)),
                   testing::PrintToString(sets) + " after " + std::to_string(at));
    }
    EXPECT_EQ(at, 24u);
  }
}

// What is read after an end token does not see what was before it, as in training with documents
// apart; the end token itself belongs to what it ends.
TEST(Generate, ADocumentBeginsAnew) {
  for (const char* position : {"rope", "learned"}) {
    const Model model({"model.position.kind=" + std::string(position)});
    const std::vector<int32_t> tokens = {3, 9, 7, 5, 6, 7, 7, 11};
    Continuation c(*model, 7), at_once(*model, 7);
    const size_t begins[] = {0, 0, 0, 3, 3, 3, 6, 7};
    for (size_t i = 0; i < tokens.size(); ++i) {
      ASSERT_TRUE(c.read(std::span(tokens).subspan(i, 1)));
      const auto in_sight = std::span(tokens).subspan(begins[i], i + 1 - begins[i]);
      expect_close(c.logits(), uncached(*model, in_sight), "token " + std::to_string(i));
    }
    ASSERT_TRUE(at_once.read(tokens));
    expect_close(at_once.logits(), uncached(*model, std::span(tokens).last(1)), "all at once");
    EXPECT_EQ(at_once.seen(), tokens);
  }
}

// A full context of 24 is left for its last 12 tokens, whose positions begin again.
TEST(Generate, SlidesPastTheContext) {
  const Model model;
  const std::vector<int32_t> tokens = some_tokens(60);
  Continuation c(*model);
  for (size_t i = 0; i < 60; ++i) {
    ASSERT_TRUE(c.read(std::span(tokens).subspan(i, 1)));
    const size_t begin = i < 24 ? 0 : (i - 24) / 13 * 13 + 13;
    expect_close(c.logits(), uncached(*model, std::span(tokens).subspan(begin, i + 1 - begin)),
                 "token " + std::to_string(i));
  }
  EXPECT_EQ(c.seen(), tokens);
  Continuation at_once(*model);
  EXPECT_TRUE(at_once.read(tokens));
  expect_close(at_once.logits(), uncached(*model, std::span(tokens).last(12)), "a long prompt");
}

TEST(Generate, LearnedPositionsEnd) {
  const Model model({"model.position.kind=learned"});
  const std::vector<int32_t> tokens = some_tokens(25);
  Continuation c(*model);
  EXPECT_TRUE(c.read(std::span(tokens).first(24)));
  const std::vector<float> before(c.logits().begin(), c.logits().end());
  EXPECT_FALSE(c.read(std::span(tokens).last(1)));
  EXPECT_EQ(c.seen().size(), 24u);
  EXPECT_TRUE(std::equal(before.begin(), before.end(), c.logits().begin()));
  int pieces = 0;
  GenerateOptions o;
  o.tokens = 40;
  const Generated g =
      generate(*model, model.data->tokenizer(), "1 2 3 4", o, [&](std::string_view) { ++pieces; });
  EXPECT_TRUE(g.context_full);
  EXPECT_EQ(g.tokens, 21);  // the last one is drawn from the full context
  EXPECT_EQ(pieces, 21);
}

// Ids that can come out of 2,000 draws.
std::set<int32_t> drawn(const std::vector<float>& logits, const GenerateOptions& o,
                        const std::vector<int32_t>& seen = {}) {
  std::set<int32_t> out;
  for (uint64_t i = 0; i < 2000; ++i) out.insert(sample_token(logits, seen, o, i));
  return out;
}

TEST(Sampling, OptionsSayWhichTokensAreLeft) {
  // Shares 0.4, 0.3, 0.2, 0.1 in the order 2, 0, 3, 1.
  const std::vector<float> logits = {std::log(3.0f), std::log(1.0f), std::log(4.0f),
                                     std::log(2.0f)};
  using Ids = std::set<int32_t>;
  EXPECT_EQ(drawn(logits, {}), (Ids{0, 1, 2, 3}));
  EXPECT_EQ(drawn(logits, {.temperature = 0}), Ids{2});
  EXPECT_EQ(drawn(logits, {.top_k = 1}), Ids{2});
  EXPECT_EQ(drawn(logits, {.top_k = 3}), (Ids{0, 2, 3}));
  EXPECT_EQ(drawn(logits, {.top_p = 0.3}), Ids{2});
  EXPECT_EQ(drawn(logits, {.top_p = 0.69}), (Ids{0, 2}));
  EXPECT_EQ(drawn(logits, {.top_p = 0.75}), (Ids{0, 2, 3}));
  EXPECT_EQ(drawn(logits, {.min_p = 0.6}), (Ids{0, 2}));
  EXPECT_EQ(drawn(logits, {.min_p = 0.3}), (Ids{0, 2, 3}));
  EXPECT_EQ(drawn(logits, {.temperature = 0.02}), Ids{2});
  EXPECT_EQ(drawn(logits, {.temperature = 0, .repetition_penalty = 2}, {2, 2}), Ids{0});
  EXPECT_EQ(drawn({-1, -2}, {.temperature = 0, .repetition_penalty = 3}, {0}), Ids{1});
}

TEST(Sampling, SharesAreThoseOfTheSoftmax) {
  const std::vector<float> logits = {std::log(3.0f), std::log(1.0f), std::log(4.0f),
                                     std::log(2.0f)};
  std::vector<double> share(4);
  for (uint64_t i = 0; i < 20000; ++i) {
    share[static_cast<size_t>(sample_token(logits, {}, {.seed = 9}, i))] += 1.0 / 20000;
  }
  EXPECT_NEAR(share[0], 0.3, 0.015);  // four deviations of 20,000 draws
  EXPECT_NEAR(share[1], 0.1, 0.015);
  EXPECT_NEAR(share[2], 0.4, 0.015);
  EXPECT_NEAR(share[3], 0.2, 0.015);
}

TEST(Sampling, BadOptionsAreNamed) {
  expect_error<ConfigError>("-n: must be at least 0", [] { check_options({.tokens = -1}); });
  expect_error<ConfigError>("--temp: must be at least 0",
                            [] { check_options({.temperature = -0.1}); });
  expect_error<ConfigError>("--top-k: must be at least 0", [] { check_options({.top_k = -1}); });
  expect_error<ConfigError>("--top-p: must be above 0 and at most 1",
                            [] { check_options({.top_p = 0}); });
  expect_error<ConfigError>("--min-p: must be between 0 and 1",
                            [] { check_options({.min_p = 1.5}); });
  expect_error<ConfigError>("--repetition-penalty: must be above 0",
                            [] { check_options({.repetition_penalty = 0}); });
  expect_error<ConfigError>("--seed: must be at least 0", [] { check_options({.seed = -1}); });
}

TEST(Generate, IsAFunctionOfItsSeed) {
  const Model model;
  const auto text = [&](int64_t seed, double temperature) {
    return generate_text(*model, model.data->tokenizer(), "1 2 3",
                         {.tokens = 50, .temperature = temperature, .seed = seed});
  };
  EXPECT_EQ(text(1, 1), text(1, 1));
  EXPECT_NE(text(1, 1), text(2, 1));
  EXPECT_EQ(text(1, 0), text(2, 0));
  const Threads in_force(3);
  const std::string three = text(1, 1);
  set_num_threads(1);
  EXPECT_EQ(text(1, 1), three);
}

// Its text is the same whatever the ids are: one byte of `text` a token.
class OneByteATime final : public Tokenizer {
 public:
  explicit OneByteATime(std::string text, std::optional<int32_t> end = {})
      : text_(std::move(text)), end_(end) {}
  std::string kind() const override { return "one byte at a time"; }
  int64_t vocab() const override { return 64; }
  std::optional<int32_t> end() const override { return end_; }
  void encode(std::string_view text, std::vector<int32_t>& ids) const override {
    for (const char c : text) ids.push_back(c % 64);
  }
  void decode(int32_t, std::string& text) const override { text += text_[at_++ % text_.size()]; }
  std::string fingerprint() const override { return ""; }
  std::string save() const override { return ""; }

 private:
  std::string text_;
  std::optional<int32_t> end_;
  mutable size_t at_ = 0;
};

TEST(Generate, NeverCutsACharacter) {
  const Model model;
  const std::string text = "a\xC3\xA9z\xE2\x82\xAC-\xF0\x9F\x98\x80!";  // 1, 2, 3 and 4 bytes
  const OneByteATime tokenizer(text);
  std::vector<std::string> pieces;
  generate(*model, tokenizer, "x", {.tokens = static_cast<int64_t>(text.size())},
           [&](std::string_view s) { pieces.emplace_back(s); });
  EXPECT_EQ(pieces, (std::vector<std::string>{"a", "\xC3\xA9", "z", "\xE2\x82\xAC", "-",
                                              "\xF0\x9F\x98\x80", "!"}));
}

// Bytes that can never become a character do not hold up what follows.
TEST(Generate, PassesOnBytesThatAreNoText) {
  const Model model;
  const OneByteATime tokenizer(
      "\x80\xBF\x80\xBF\x80"
      "ab");
  std::string all;
  generate(*model, tokenizer, "x", {.tokens = 7}, [&](std::string_view s) { all += s; });
  EXPECT_EQ(all,
            "\x80\xBF\x80\xBF\x80"
            "ab");
}

TEST(Generate, StopsAtTheEndToken) {
  const Model model;
  Continuation c(*model);
  const std::vector<int32_t> prompt = {'x' % 64};
  c.read(prompt);
  const int32_t likeliest = sample_token(c.logits(), {}, {.temperature = 0}, 0);
  const Generated g = generate(*model, OneByteATime("t", likeliest), "x", {.temperature = 0},
                               [](std::string_view) {});
  EXPECT_TRUE(g.ended);
  EXPECT_EQ(g.tokens, 0);
  const Generated all = generate(*model, OneByteATime("t"), "x", {.tokens = 30, .temperature = 0},
                                 [](std::string_view) {});
  EXPECT_FALSE(all.ended);
  EXPECT_EQ(all.tokens, 30);
}

TEST(Generate, BadPromptsAreNamed) {
  const Model model;
  expect_error<DataError>("prompt: token 122 is beyond the model's 64 ids", [&] {
    generate_text(*model, ByteTokenizer(ByteTokenizer::Config{}), "z", {});
  });
  expect_error<ConfigError>("the prompt is empty and the tokenizer has no end token",
                            [&] { generate_text(*model, OneByteATime("t"), "", {}); });
}

}  // namespace
}  // namespace keel::test
