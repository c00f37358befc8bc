#include "config/print.h"

#include <gtest/gtest.h>

#include <limits>

#include "config/example.h"
#include "config/text.h"

namespace keel {
namespace {

using namespace example;

RunConfig changed() {
  RunConfig c;
  c.model.norm.select("layer");
  c.model.norm.options_as<LayerNorm::Config>().eps = 0.1 + 0.2;
  c.model.attention.qk_norm.select("rms");
  c.data.tags = {"a \"b\"\\", "tab\tline\nend\x01\x7f \xc3\xa9", ""};
  c.data.sources.resize(2);
  c.data.sources[0].path = "/a";
  c.data.sources[1].path = "/b";
  c.data.sources[1].weight = std::numeric_limits<double>::denorm_min();
  c.optim.lr = 1e22;
  c.train.clip = std::numeric_limits<double>::max();
  return c;
}

RunConfig load(const std::string& text) {
  RunConfig c;
  load_config_text("config.toml", text, {}, c);
  return c;
}

TEST(Print, Toml) {
  EXPECT_EQ(to_toml(RunConfig()), R"([model]
dim = 128
layers = 4
heads = 4
dropout = 0.0
tied = true

[model.norm]
kind = "rms"
eps = 1e-06

[model.attention]
bias = false

[model.attention.qk_norm]
kind = "none"

[optim]
kind = "adamw"
betas = [0.9, 0.95]
eps = 1e-08
decay = "rate"
lr = 0.001

[data]
path = []
tags = []
sources = []

[train]
seed = 0
init = ""
clip = 1.0
)");
}

TEST(Print, TomlOfLists) {
  RunConfig c;
  c.data.sources.resize(2);
  c.data.sources[1].name = "second";
  const std::string text = to_toml(c.data);
  EXPECT_EQ(text, R"(path = []
tags = []

[[sources]]
path = ""
weight = 1.0
name = ""

[[sources]]
path = ""
weight = 1.0
name = "second"
)");
}

TEST(Print, RoundTrips) {
  for (const RunConfig& c : {RunConfig(), changed()}) {
    const RunConfig back = load(to_toml(c));
    EXPECT_TRUE(diff_configs(c, back).empty());
    EXPECT_EQ(to_toml(back), to_toml(c));
    EXPECT_EQ(config_hash(back), config_hash(c));
  }
  EXPECT_EQ(load(to_toml(changed())).data.tags, changed().data.tags);
}

TEST(Print, OriginsAsComments) {
  RunConfig c;
  const LoadedConfig loaded = load_config_text(
      "run.toml", "data.sources = [{path = \"/a\"}]\nmodel.dim = 64", {"optim.lr=1"}, c);
  const std::string text = to_toml(c, &loaded.origins);
  EXPECT_NE(text.find("[model]\ndim = 64  # run.toml:2\nlayers = 4  # default\n"), text.npos);
  EXPECT_NE(text.find("lr = 1.0  # --set\n"), text.npos);
  EXPECT_NE(text.find("[[data.sources]]\npath = \"/a\"  # run.toml:1\nweight = 1.0  # default\n"),
            text.npos);
}

TEST(Print, ResolvedConfigKeepsItsOrigins) {
  RunConfig c, back;
  const LoadedConfig first =
      load_config_text("run.toml",
                       "model.dim = 64\ndata.tags = [\"# \xc3\xa9\xf0\x9f\x98\x80\", \"x\"]\n"
                       "data.sources = [{path = \"/a\"}]\n",
                       {"optim.lr=1"}, c);
  const std::string text = to_toml(c, &first.origins);
  const LoadedConfig again = load_resolved("config.toml", text, {}, back);
  EXPECT_EQ(again.origins, first.origins);
  EXPECT_TRUE(diff_configs(c, back).empty());
  const LoadedConfig more = load_resolved("config.toml", text, {"train.seed=3"}, back);
  EXPECT_EQ(more.origins.at("train.seed"), "--set");
  EXPECT_EQ(more.origins.at("model.dim"), "run.toml:1");
  EXPECT_EQ(back.train.seed, 3);
}

TEST(Print, ResolvedDefaultsOfAnotherKindGoSilently) {
  RunConfig c, back;
  const LoadedConfig first =
      load_config_text("run.toml", "model.norm = {kind = \"layer\", bias = false}", {}, c);
  const std::string text = to_toml(c, &first.origins);
  const LoadedConfig again =
      load_resolved("config.toml", text, {"model.norm.kind=rms", "optim.kind=sgd"}, back);
  EXPECT_EQ(again.notes,
            std::vector<std::string>{"model.norm.bias (run.toml:1) is dropped: --set changes "
                                     "model.norm.kind from \"layer\" to \"rms\""});
  EXPECT_EQ(back.model.norm.options_as<RmsNorm::Config>().eps, 1e-6);
}

struct Reader {};
struct FileReader final : Reader {
  struct Config final : keel::Config {
    std::vector<SourceConfig> sources;
    void fields(Fields& f) override { f("sources", sources, "weighted sources"); }
  };
  explicit FileReader(const Config&) {}
};
struct RandomReader final : Reader {
  using Config = NoOptions;
  explicit RandomReader(const Config&) {}
};
struct ReaderConfig final : Config {
  static const Registry<Reader>& readers() {
    using R = Registry<Reader>;
    static const R r{"reader",
                     {R::entry<FileReader>("file", ""), R::entry<RandomReader>("random", "")}};
    return r;
  }
  Variant<Reader> reader{readers(), "file"};
  void fields(Fields& f) override { f.kind(reader, "where data comes from"); }
};

TEST(Print, ResolvedListsOfAnotherKindGoWithANote) {
  ReaderConfig c, back;
  const LoadedConfig first = load_config_text("run.toml", "sources = [{path = \"/a\"}]", {}, c);
  const std::string text = to_toml(c, &first.origins);
  ASSERT_TRUE(text.ends_with("name = \"\"  # default\n"));
  EXPECT_EQ(load_resolved("config.toml", text, {"kind=random"}, back).notes,
            std::vector<std::string>{"sources (config.toml:3) is dropped: --set changes kind from "
                                     "\"file\" to \"random\""});
  EXPECT_TRUE(
      load_resolved("config.toml", to_toml(ReaderConfig(), &first.origins), {"kind=random"}, back)
          .notes.empty());
}

TEST(Print, ResolvedErrorsNameThePlaceInTheResolvedFile) {
  RunConfig c;
  try {
    load_resolved("config.toml", "[model]\ndmi = 1  # run.toml:9\n", {}, c);
    FAIL();
  } catch (const ConfigError& e) {
    EXPECT_STREQ(e.what(), "config.toml:2:1: model.dmi: unknown key, did you mean \"dim\"?");
  }
}

TEST(Print, OriginsJson) {
  EXPECT_EQ(origins_json({}), "{\n}\n");
  EXPECT_EQ(origins_json({{"a", "default"}, {"b.c", "a\"b.toml:3"}}),
            "{\n  \"a\": \"default\",\n  \"b.c\": \"a\\\"b.toml:3\"\n}\n");
}

TEST(Print, OriginsHaveExactlyTheKeysOfTheConfig) {
  RunConfig c;
  const LoadedConfig loaded = load_config_text("config.toml", to_toml(changed()), {}, c);
  Origins expected;
  for (const KeyValue& kv : flatten(c)) expected[kv.key] = loaded.origins.at(kv.key);
  EXPECT_EQ(loaded.origins, expected);
}

TEST(Print, Differences) {
  RunConfig a, b;
  b.model.dim = 64;
  b.model.norm.select("layer");
  b.data.sources.resize(1);
  std::string text;
  for (const Difference& d : diff_configs(a, b)) text += d.key + " " + d.a + " | " + d.b + "\n";
  EXPECT_EQ(text,
            "model.dim 128 | 64\n"
            "model.norm.kind \"rms\" | \"layer\"\n"
            "model.norm.eps 1e-06 | 1e-05\n"
            "data.sources [] | \n"
            "model.norm.bias  | true\n"
            "data.sources[0].path  | \"\"\n"
            "data.sources[0].weight  | 1.0\n"
            "data.sources[0].name  | \"\"\n");
  EXPECT_TRUE(diff_configs(b, b).empty());
}

TEST(Print, HashDependsOnEveryKey) {
  RunConfig base;
  std::vector<uint64_t> seen{config_hash(base)};
  for (const std::string set :
       {"model.dim=132", "model.norm.eps=1", "model.norm.kind=layer", "optim.kind=sgd",
        "data.tags=x", "data.sources=[{path='/a'}]", "train.init=/a"}) {
    RunConfig c;
    load_config_text("run.toml", "", {set}, c);
    const uint64_t hash = config_hash(c);
    EXPECT_EQ(std::count(seen.begin(), seen.end(), hash), 0) << set;
    seen.push_back(hash);
  }
  SourceConfig source;
  EXPECT_EQ(config_hash(source), 0xf2b6aa49ab1555dbu);
}

TEST(Print, Help) {
  EXPECT_EQ(config_help(OptimConfig()), R"(kind = "adamw"
    update rule
    "adamw": Adam with decoupled decay
    "sgd": gradient descent
betas = [0.9, 0.95]  [kind = "adamw"]
    decay of the two moments (at least 0 and below 1)
eps = 1e-08  [kind = "adamw"]
    added to the root (above 0)
decay = "rate"  [kind = "adamw"]
    what scales the decay (one of "rate", "independent")
momentum = 0.9  [kind = "sgd"]
    decay of the velocity (at least 0 and below 1)
lr = 0.001
    peak rate (above 0)
)");
  const std::string data = config_help(DataConfig());
  EXPECT_NE(data.find("sources[i].weight = 1.0\n    share among the sources (above 0)\n"),
            data.npos);
  EXPECT_NE(config_help(AttentionConfig())
                .find("qk_norm.kind = \"none\"\n"
                      "    norm of queries and keys\n"
                      "    \"none\": nothing\n"),
            std::string::npos);
}

TEST(Text, Numbers) {
  EXPECT_EQ(shortest(1), "1.0");
  EXPECT_EQ(shortest(0.1), "0.1");
  EXPECT_EQ(shortest(-0.0), "-0.0");
  EXPECT_EQ(shortest(1e300), "1e+300");
  EXPECT_EQ(shortest(-std::numeric_limits<double>::infinity()), "-inf");
  EXPECT_EQ(plain(1), "1");
  EXPECT_EQ(plain(0.5), "0.5");
}

TEST(Text, Ranges) {
  EXPECT_EQ(at_least(1).text(), "at least 1");
  EXPECT_EQ(above(0).at_most(1).text(), "above 0 and at most 1");
  EXPECT_EQ(between(0, 0.5).text(), "between 0 and 0.5");
  EXPECT_EQ(below(1).text(), "below 1");
  EXPECT_EQ(Range().text(), "");
  EXPECT_TRUE(between(0, 1).allows(1));
  EXPECT_FALSE(below(1).allows(1));
  EXPECT_FALSE(above(0).allows(0));
}

TEST(Text, Nearest) {
  EXPECT_EQ(nearest("dmi", {"dim", "lim"}), "dim");
  EXPECT_EQ(nearest("head", {"heads", "layers"}), "heads");
  EXPECT_EQ(nearest("RoPE", {"none", "rope"}), "rope");
  EXPECT_EQ(nearest("qk-norm", {"l2_norm", "qk_norm"}), "qk_norm");
  EXPECT_EQ(nearest("bias", {"kind", "eps"}), "");
  EXPECT_EQ(nearest("", {"a"}), "");
  EXPECT_EQ(nearest("x", {"y"}), "");
  EXPECT_EQ(nearest(std::string(100000, 'a'), {"a"}), "");
}

}  // namespace
}  // namespace keel
