// The configs that come with the program.
#include <gtest/gtest.h>

#include "io/json.h"
#include "run_keel.h"

namespace keel {
namespace {

std::string preset(const std::string& name) {
  return join_path(KEEL_SOURCE_DIR, "configs/" + name + ".toml");
}

TEST(Presets, TinyTrainsWithoutAnythingElse) {
  const TempDir dir;
  const ProgramEnd o = keel({"train", preset("tiny"), "--out", dir / "run", "--json", "--set",
                             "train.steps=2", "--set", "eval.tokens=1"});
  ASSERT_EQ(o.code, 0) << o.err;
  EXPECT_EQ(last_json(o).at("steps").as_int(), 2);
}

TEST(Presets, TinyNamesOnlyWhatDiffersFromTheDefaultsAndNothingDerived) {
  const std::string text = real_fs().read_file(preset("tiny"), kMaxTextBytes);
  for (const char* key : {"head_dim", "kv_heads", "hidden", "vocab", "sources", "val_path"}) {
    EXPECT_EQ(text.find(key), std::string::npos) << key;
  }
  const ProgramEnd shown = keel({"config", "show", preset("tiny")});
  ASSERT_EQ(shown.code, 0) << shown.err;
  EXPECT_NE(shown.out.find("dim = 128"), std::string::npos);
  EXPECT_NE(shown.out.find("layers = 4"), std::string::npos);
  EXPECT_NE(shown.out.find("kind = \"markov\""), std::string::npos);
}

TEST(Presets, BenchShapesHaveTheParametersOfTheComparison) {
  // Embedding (tied), four attention and three feed-forward matrices, two norms and two head norms
  // a layer, the last norm.
  const auto expected = [](int64_t d, int64_t layers, int64_t heads, int64_t vocab, int64_t ffn) {
    return vocab * d + layers * (4 * d * d + 3 * d * ffn + 2 * d + 2 * (d / heads)) + d;
  };
  const std::pair<const char*, int64_t> shapes[] = {
      {"bench/toy", expected(64, 4, 4, 256, 192)},
      {"bench/small", expected(128, 4, 4, 96, 384)},
      {"bench/medium", expected(384, 6, 6, 96, 1024)},
      {"bench/gpt2", expected(768, 12, 12, 50304, 2048)},
      {"bench/gpt2long", expected(768, 12, 12, 50304, 2048)}};
  for (const auto& [name, parameters] : shapes) {
    const ProgramEnd o = keel({"plan", preset(name), "--json"});
    ASSERT_EQ(o.code, 0) << o.err;
    EXPECT_EQ(last_json(o).at("parameters").as_int(), parameters) << name;
  }
}

}  // namespace
}  // namespace keel
