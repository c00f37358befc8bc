#include "data/tokenizer.h"

#include <gtest/gtest.h>

#include "data/byte_tokenizer.h"
#include "data/id_tokenizer.h"
#include "io/error_text.h"

namespace keel {
namespace {

std::string round_trip(const Tokenizer& t, std::string_view text) {
  std::vector<int32_t> ids;
  t.encode(text, ids);
  return decode(t, ids);
}

TEST(Tokenizer, BytesAreIds) {
  const ByteTokenizer t{NoOptions()};
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  EXPECT_EQ(round_trip(t, all), all);
  std::vector<int32_t> ids{1};
  t.encode("a\xff", ids);
  EXPECT_EQ(ids, (std::vector<int32_t>{1, 97, 255}));
  EXPECT_EQ(t.vocab(), 257);
  EXPECT_EQ(t.end(), 256);
  EXPECT_EQ(decode(t, std::vector<int32_t>{104, 256, -1, 300, 105}), "hi");
}

TEST(Tokenizer, IdsAreNumbers) {
  IdTokenizer::Config config;
  config.vocab = 100;
  config.end = 9;
  const IdTokenizer t(config);
  EXPECT_EQ(round_trip(t, " 7 99\n0\t"), "7 99 0 ");
  EXPECT_EQ(round_trip(t, ""), "");
  EXPECT_EQ(t.end(), 9);
  EXPECT_EQ(decode(t, std::vector<int32_t>{1, 9, 2}), "1 2 ");
  EXPECT_EQ(IdTokenizer(IdTokenizer::Config()).end(), std::nullopt);
  const std::string rest = ": this model's tokens are numbers from 0 to 99, separated by spaces";
  for (const std::string word : {"100", "-1", "x", "1.5", "99999999999999999999"}) {
    EXPECT_EQ(error_text<DataError>([&] { round_trip(t, "5 " + word); }),
              "text \"" + word + "\" at byte 2" + rest);
  }
}

// What is kept beside a checkpoint gives the same tokenizer again.
TEST(Tokenizer, AllAreSavedAndLoaded) {
  for (const auto& row : tokenizers().rows()) {
    const auto t = tokenizers().make(row.name);
    const auto again = load_tokenizer(t->save(), "tokenizer.json");
    EXPECT_EQ(t->kind(), row.name);
    EXPECT_EQ(again->kind(), t->kind());
    EXPECT_EQ(again->vocab(), t->vocab());
    EXPECT_EQ(again->end(), t->end());
    EXPECT_EQ(again->fingerprint(), t->fingerprint());
    EXPECT_EQ(again->save(), t->save());
  }
  IdTokenizer::Config config;
  config.vocab = 12;
  config.end = 3;
  const auto t = load_tokenizer(IdTokenizer(config).save(), "tokenizer.json");
  EXPECT_EQ(t->vocab(), 12);
  EXPECT_EQ(t->end(), 3);
  EXPECT_EQ(ByteTokenizer(NoOptions()).save(), R"({"kind":"byte","vocab":257,"end":256})");
}

TEST(Tokenizer, Errors) {
  const auto text = [](std::string_view json) {
    return error_text<DataError>([&] { load_tokenizer(json, "tokenizer.json"); });
  };
  EXPECT_TRUE(text("{").starts_with("tokenizer.json: byte "));
  EXPECT_EQ(text("[]"), "tokenizer.json: not a tokenizer's object");
  EXPECT_EQ(text("{}"), "tokenizer.json: key \"kind\" is missing");
  EXPECT_EQ(text(R"({"kind":"bpe"})"),
            "tokenizer.json: unknown tokenizer \"bpe\" (known: byte ids)");
  EXPECT_EQ(text(R"({"kind":"ids"})"), "tokenizer.json: key \"vocab\" is missing");
}

}  // namespace
}  // namespace keel
