// [data] as it is written in TOML.
#include "data/config.h"

#include <gtest/gtest.h>

#include "config/load.h"
#include "config/print.h"
#include "data/markov.h"
#include "data_files.h"
#include "harness/config_coverage.h"
#include "io/error_text.h"

namespace keel {
namespace {

struct Root final : Config {
  DataConfig data;
  void fields(Fields& f) override { f("data", data, "the data"); }
};

Root load(std::string_view toml, const std::vector<std::string>& sets = {}) {
  Root root;
  load_config_text("run.toml", toml, sets, root);
  return root;
}

TEST(DataConfig, EveryMemberIsWalked) {
  harness::CoverageWalk walk;
  DataConfig config;
  walk.check("data", config, sizeof config);
  EXPECT_EQ(walk.holes, std::vector<std::string>());
}

TEST(DataConfig, EveryKindPrintsAndLoadsItsDefaults) {
  for (const auto& row : readers().rows()) {
    Root root;
    root.data.reader.select(row.name);
    EXPECT_EQ(to_toml(load(to_toml(root))), to_toml(root)) << row.name;
    EXPECT_FALSE(row.doc.empty());
    EXPECT_TRUE(readers().make(root.data.reader) != nullptr);
  }
}

TEST(DataConfig, KeysBelongToTheirKind) {
  const Root root = load(R"(
[data]
kind = "text"
path = "a.txt"
split = 0.1
document_mask = true
sampler = "stream"
tokenizer.kind = "byte"
)");
  const auto& options = dynamic_cast<const FileOptions&>(root.data.reader.options());
  ASSERT_EQ(options.path.size(), 1u);
  EXPECT_TRUE(options.path[0].starts_with("/") && options.path[0].ends_with("/a.txt"));
  EXPECT_EQ(options.split, 0.1);
  EXPECT_TRUE(options.document_mask);
  EXPECT_EQ(options.sampler, "stream");
  EXPECT_EQ(error_text<ConfigError>([] { load("[data]\nkind = \"markov\"\nsplit = 0.1\n"); }),
            "run.toml:3:1: data.split: unknown key of kind \"markov\"; it is one of kind \"text\", "
            "\"jsonl\", \"shards\", \"npy\"");
}

// What `make demo` does to the small configuration.
TEST(DataConfig, AnotherKindFromTheCommandLine) {
  const Root root = load("[data]\nkind = \"markov\"\norder = 3\nsymbols = 32\n",
                         {"data.kind=text", "data.path=/tmp/book.txt"});
  EXPECT_EQ(root.data.reader.kind(), "text");
  EXPECT_EQ(dynamic_cast<const FileOptions&>(root.data.reader.options()).path,
            std::vector<std::string>{"/tmp/book.txt"});
}

TEST(DataConfig, Sources) {
  const Root root = load(R"(
[data]
kind = "jsonl"
val_path = ["v.jsonl"]
[[data.sources]]
path = ["/x/a.jsonl", "/x/b.jsonl"]
weight = 2
[[data.sources]]
path = "/x/c.jsonl.zst"
name = "c"
)");
  const auto& options = dynamic_cast<const FileOptions&>(root.data.reader.options());
  ASSERT_EQ(options.sources.size(), 2u);
  EXPECT_EQ(options.sources[0].path, (std::vector<std::string>{"/x/a.jsonl", "/x/b.jsonl"}));
  EXPECT_EQ(options.sources[0].weight, 2);
  EXPECT_EQ(options.sources[1].name, "c");
  EXPECT_EQ(options.sources[1].weight, 1);
}

TEST(DataConfig, UnknownKind) {
  const std::string text = error_text<ConfigError>([] { load("[data]\nkind = \"txt\"\n"); });
  EXPECT_NE(text.find("unknown data \"txt\", did you mean \"text\"?"), std::string::npos) << text;
}

TEST(DataConfig, RangesAreChecked) {
  const std::string text = error_text<ConfigError>(
      [] { load("[data]\nkind = \"text\"\nsplit = 1.0\nsampler = \"sorted\"\n"); });
  EXPECT_EQ(text,
            "run.toml:3:9: data.split: must be at least 0 and below 1, is 1.0\n"
            "run.toml:4:11: data.sampler: must be one of \"shuffled\", \"stream\", is \"sorted\"");
}

}  // namespace
}  // namespace keel
