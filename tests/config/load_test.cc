// Every error text of loading, word for word.
#include "config/load.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <limits>

#include "config/example.h"

namespace keel {
namespace {

using namespace example;

TEST(Load, EmptyTextGivesTheDefaults) {
  RunConfig c;
  const LoadedConfig loaded = load_config_text("run.toml", "", {}, c);
  EXPECT_EQ(c.model.dim, 128);
  EXPECT_EQ(loaded.origins.at("model.dim"), "default");
  EXPECT_EQ(loaded.origins.at("model.norm.eps"), "default");
  EXPECT_TRUE(loaded.notes.empty());
}

TEST(Load, EveryTypeAndItsOrigin) {
  RunConfig c;
  const LoadedConfig loaded =
      load_config_text("run.toml",
                       "[model]\n"
                       "dim = 256\n"
                       "tied = false\n"
                       "norm.kind = \"layer\"\n"
                       "norm.bias = false\n"
                       "[optim]\n"
                       "lr = 1\n"
                       "betas = [0, 0.5]\n"
                       "decay = \"independent\"\n"
                       "[data]\n"
                       "tags = \"one\"\n"
                       "[[data.sources]]\n"
                       "path = \"/a\"\n"
                       "[[data.sources]]\n"
                       "path = \"/b\"\n"
                       "weight = 2.5\n",
                       {"model.heads=8", " model.attention.qk_norm.kind = rms"}, c);
  EXPECT_EQ(c.model.dim, 256);
  EXPECT_EQ(c.model.heads, 8);
  EXPECT_FALSE(c.model.tied);
  EXPECT_FALSE(c.model.norm.options_as<LayerNorm::Config>().bias);
  EXPECT_EQ(c.model.attention.qk_norm.kind(), "rms");
  EXPECT_EQ(c.optim.lr, 1.0);
  EXPECT_EQ(c.optim.rule.options_as<AdamW::Config>().betas, (std::vector<double>{0, 0.5}));
  EXPECT_EQ(c.data.tags, std::vector<std::string>{"one"});
  ASSERT_EQ(c.data.sources.size(), 2u);
  EXPECT_EQ(c.data.sources[1].weight, 2.5);
  EXPECT_EQ(loaded.origins.at("model.dim"), "run.toml:2");
  EXPECT_EQ(loaded.origins.at("model.norm.kind"), "run.toml:4");
  EXPECT_EQ(loaded.origins.at("model.heads"), "--set");
  EXPECT_EQ(loaded.origins.at("data.sources[1].weight"), "run.toml:16");
  EXPECT_EQ(loaded.origins.at("data.sources[0].weight"), "default");
}

TEST(Load, UnknownKeysWithSuggestionAndPosition) {
  EXPECT_EQ(
      error_of("[model]\n\ndmi = 64\n\n[model.norm]\nbias = true\n",
               {"model.norm.epz=1", "optim.lr=fast"}),
      "run.toml:6:1: model.norm.bias: unknown key of kind \"rms\"; it is one of kind \"layer\"\n"
      "--set: model.norm.epz: unknown key, did you mean \"eps\"?\n"
      "run.toml:3:1: model.dmi: unknown key, did you mean \"dim\"?\n"
      "--set: optim.lr: must be a number");
  EXPECT_EQ(error_of("modle.dim = 3"), "run.toml:1:1: modle: unknown key, did you mean \"model\"?");
  EXPECT_EQ(error_of("[data]\nsources = [{path = \"/a\", wieght = 1}]"),
            "run.toml:2:26: data.sources[0].wieght: unknown key, did you mean \"weight\"?");
  EXPECT_EQ(error_of("", {"base=a.toml"}), "--set: base: unknown key");
  EXPECT_EQ(error_of("[model]\n\"\" = 3\n\"a.b\" = 4\n"),
            "run.toml:2:1: model.\"\": unknown key\n"
            "run.toml:3:1: model.\"a.b\": unknown key");
}

TEST(Load, WrongTypes) {
  EXPECT_EQ(error_of("[model]\n"
                     "dim = 1.5\n"
                     "dropout = true\n"
                     "tied = 1\n"
                     "norm = 3\n"
                     "attention.qk_norm.kind = 1\n"
                     "[optim]\n"
                     "betas = 0.9\n"
                     "decay = 2020-01-01\n"
                     "[data]\n"
                     "tags = [1]\n"
                     "sources = [1]\n"),
            "run.toml:2:7: model.dim: must be an integer\n"
            "run.toml:5:8: model.norm: must be a table\n"
            "run.toml:6:26: model.attention.qk_norm.kind: must be a string\n"
            "run.toml:3:11: model.dropout: must be a number\n"
            "run.toml:4:8: model.tied: must be true or false\n"
            "run.toml:8:9: optim.betas: must be a list of numbers\n"
            "run.toml:9:9: optim.decay: must be a string\n"
            "run.toml:11:8: data.tags: must be a list of strings\n"
            "run.toml:12:11: data.sources: must be a list of tables");
}

TEST(Load, AKindInPlaceOfItsTable) {
  EXPECT_EQ(error_of("model.norm = \"layer\""),
            "run.toml:1:14: model.norm: must be a table; to choose one write model.norm.kind = "
            "\"layer\"");
  EXPECT_EQ(error_of("model = \"layer\""), "run.toml:1:9: model: must be a table");
}

TEST(Load, OutOfRange) {
  EXPECT_EQ(error_of("[model]\n"
                     "dim = 0\n"
                     "dropout = 1\n"
                     "[optim]\n"
                     "lr = -1e-3\n"
                     "betas = [0.9, 1.0]\n"
                     "decay = \"rat\"\n"
                     "[train]\n"
                     "seed = -1\n"
                     "clip = nan\n"),
            "run.toml:2:7: model.dim: must be at least 1, is 0\n"
            "run.toml:3:11: model.dropout: must be at least 0 and below 1, is 1.0\n"
            "run.toml:6:9: optim.betas: value 2 must be at least 0 and below 1, is 1.0\n"
            "run.toml:7:9: optim.decay: must be one of \"rate\", \"independent\", is \"rat\", did "
            "you mean \"rate\"?\n"
            "run.toml:5:6: optim.lr: must be above 0, is -0.001\n"
            "run.toml:9:8: train.seed: must be between 0 and 1e+09, is -1\n"
            "run.toml:10:8: train.clip: must be above 0, is nan");
  EXPECT_EQ(error_of("optim.betas = [0.9]"),
            "run.toml:1:15: optim.betas: must have 2 values, has 1");
  EXPECT_EQ(error_of("train.clip = inf"),
            "run.toml:1:14: train.clip: must be a finite number, is inf");
}

TEST(Load, UnknownKindHidesTheKeysThatNobodyCanJudge) {
  EXPECT_EQ(error_of("[model.norm]\nkind = \"rmz\"\nepsilon = 1\n"),
            "run.toml:2:8: model.norm.kind: unknown norm \"rmz\", did you mean \"rms\"? "
            "(known: layer rms)");
  EXPECT_EQ(error_of("", {"model.attention.qk_norm.kind=batch"}),
            "--set: model.attention.qk_norm.kind: unknown norm \"batch\" (known: none layer rms)");
}

TEST(Load, RulesBetweenMembers) {
  EXPECT_EQ(error_of("[model]\nheads = 3\nlayer = 2\n"),
            "run.toml:3:1: model.layer: unknown key, did you mean \"layers\"?\n"
            "run.toml:2:9: model.heads: 3 heads do not divide dim 128");
  EXPECT_EQ(error_of("", {"model.heads=3"}), "--set: model.heads: 3 heads do not divide dim 128");
  EXPECT_EQ(error_of("model.dim = 130"), "run.toml: model.heads: 4 heads do not divide dim 130");
  EXPECT_EQ(error_of("optim.betas = [0.9, 0.8]"),
            "run.toml:1:15: optim.betas: the first must not be above the second");
  EXPECT_EQ(error_of("data.sources = [{weight = 2}]"),
            "run.toml: data.sources[0].path: must be given");
}

TEST(Load, RulesBesideWrongValues) {
  EXPECT_EQ(error_of("[model]\n"
                     "heads = 3\n"
                     "layers = 0\n"
                     "norm.eps = \"small\"\n"
                     "[optim]\n"
                     "betas = [0.9, 0.8]\n"
                     "eps = 0\n"
                     "[[data.sources]]\n"
                     "weight = 0\n"),
            "run.toml:3:10: model.layers: must be at least 1, is 0\n"
            "run.toml:4:12: model.norm.eps: must be a number\n"
            "run.toml:7:7: optim.eps: must be above 0, is 0.0\n"
            "run.toml:9:10: data.sources[0].weight: must be above 0, is 0.0\n"
            "run.toml:2:9: model.heads: 3 heads do not divide dim 128\n"
            "run.toml:6:9: optim.betas: the first must not be above the second\n"
            "run.toml: data.sources[0].path: must be given");
}

TEST(Load, RulesThatLookAtAWrongValueAreNotAsked) {
  EXPECT_EQ(error_of("[model]\nheads = 3\ndim = \"130\"\n"),
            "run.toml:3:7: model.dim: must be an integer");
  EXPECT_EQ(error_of("[model]\nheads = 0\ndim = 130\n"),
            "run.toml:2:9: model.heads: must be at least 1, is 0");
  EXPECT_EQ(error_of("optim.betas = [0.9]"),
            "run.toml:1:15: optim.betas: must have 2 values, has 1");
  EXPECT_EQ(error_of("data.sources = [{path = 3}]"),
            "run.toml:1:25: data.sources[0].path: must be a string");
}

// The value of a key that may be misspelt is not known, unless the key itself is written as well.
TEST(Load, RulesThatLookAtAMisspeltKeyAreNotAsked) {
  EXPECT_EQ(error_of("[model]\nheads = 3\ndmi = 129\n"),
            "run.toml:3:1: model.dmi: unknown key, did you mean \"dim\"?");
  EXPECT_EQ(error_of("[model]\nheads = 3\ndmi = 129\ndim = 64\n"),
            "run.toml:3:1: model.dmi: unknown key, did you mean \"dim\"?\n"
            "run.toml:2:9: model.heads: 3 heads do not divide dim 64");
  EXPECT_EQ(error_of("[model]\nheads = 3\ndim = 64\n", {"model.dmi=66"}),
            "--set: model.dmi: unknown key, did you mean \"dim\"?");
  EXPECT_EQ(error_of("[optim]\nbetas = [0.9, 0.8]\nmomentum = 0.5\nknid = \"sgd\"\n"),
            "run.toml:4:1: optim.knid: unknown key, did you mean \"kind\"?");
}

TEST(Load, SetWithoutValue) {
  EXPECT_EQ(error_of("", {"model.dim", "=3", "model..dim=3", "mo del=1", ".dim=1", "dim.=1"}),
            "--set: \"model.dim\" has no \"=\", expected key=value\n"
            "--set: \"\" is not a dotted key\n"
            "--set: \"model..dim\" is not a dotted key\n"
            "--set: \"mo del\" is not a dotted key\n"
            "--set: \".dim\" is not a dotted key\n"
            "--set: \"dim.\" is not a dotted key");
  EXPECT_EQ(error_of("", {"a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a=1"}),
            "--set: \"a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a\" is not a dotted key");
}

TEST(Load, SetValuesAreTomlOrElseStrings) {
  const auto init = [](const std::string& value) {
    RunConfig c;
    load_config_text("run.toml", "", {"data.tags=" + value}, c);
    return c.data.tags;
  };
  using Tags = std::vector<std::string>;
  EXPECT_EQ(init("word"), Tags{"word"});
  EXPECT_EQ(init("\"two words\""), Tags{"two words"});
  EXPECT_EQ(init("two words"), Tags{"two words"});
  EXPECT_EQ(init("a=b"), Tags{"a=b"});
  EXPECT_EQ(init(""), Tags{""});
  EXPECT_EQ(init("[\"a\", \"b\"]"), (Tags{"a", "b"}));
  EXPECT_EQ(init("\"a\"\n[model]\ndim = 3"), Tags{"\"a\"\n[model]\ndim = 3"});
  EXPECT_EQ(init("1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16.17.18"),
            Tags{"1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16.17.18"});
  EXPECT_EQ(error_of("", {"data.tags=\xff"}),
            "--set: data.tags: not valid UTF-8, or longer than 65536 bytes");
  EXPECT_EQ(error_of("", {"data.tags=" + std::string(70000, 'x')}),
            "--set: data.tags: not valid UTF-8, or longer than 65536 bytes");
  EXPECT_EQ(error_of("", {"model.tied=True"}), "--set: model.tied: must be true or false");
}

TEST(Load, TheLastSetWins) {
  RunConfig c;
  load_config_text("run.toml", "model.dim = 4", {"model.dim=8", "model={dim=16}"}, c);
  EXPECT_EQ(c.model.dim, 16);
}

TEST(Load, SyntaxErrors) {
  EXPECT_EQ(error_of("[model]\ndim = tiny\n"),
            "run.toml:2:8: Error while parsing boolean: expected 'true', saw 'ti'");
  EXPECT_EQ(error_of("a = 1\na = 2\n"),
            "run.toml:2:5: Error while parsing key-value pair: cannot redefine existing integer "
            "'a'");
}

TEST(Load, RefusesTextThatIsTooLarge) {
  EXPECT_EQ(error_of(std::string((1 << 20) + 1, '\n')), "run.toml: larger than 1048576 bytes");
  EXPECT_EQ(error_of("\n#" + std::string(65536, 'x')),
            "run.toml:2: a line of 65537 bytes, at most 65536");
  EXPECT_EQ(error_of("\n#" + std::string(65535, 'x') + "\n"), "no error");
}

TEST(Load, RefusesLongKeyPaths) {
  const auto path = [](int parts) {
    std::string s = "a";
    for (int i = 1; i < parts; ++i) s += ".a";
    return s;
  };
  const std::string error = "run.toml:3: a key path of more than 16 parts";
  EXPECT_EQ(error_of("\n\n" + path(17) + " = 1"), error);
  EXPECT_EQ(error_of("\n\n[" + path(17) + "]"), error);
  EXPECT_EQ(error_of("\n\nx = [{" + path(17) + " = 1}]"), error);
  EXPECT_EQ(error_of("s = \"\"\"\n\\\\\"\"\"\n" + path(17) + " = 1"), error);
  EXPECT_EQ(error_of("s = '\\'\n\n" + path(17) + " = 1"), error);
  EXPECT_EQ(error_of("\n\n\"a\"" + path(17).substr(1) + " = 1"), error);
  EXPECT_EQ(error_of(path(16) + " = 1"), "run.toml:1:1: a: unknown key");
  EXPECT_EQ(error_of("data.tags = '" + path(20) + "' # " + path(20)), "no error");
  EXPECT_EQ(error_of("data.tags = \"\"\"\n\\\"" + path(20) + "\"\"\""), "no error");
}

TEST(Load, RefusesDeepNesting) {
  EXPECT_EQ(error_of("a = " + std::string(33, '[') + std::string(33, ']')),
            "run.toml:1:37: nested more than 32 deep");
  EXPECT_EQ(error_of("a = " + std::string(3000, '[')).substr(0, 9), "run.toml:");
}

TEST(CheckConfig, RangesAndRulesOfAStructFilledByHand) {
  RunConfig c;
  EXPECT_NO_THROW(check_config(c));
  c.model.heads = 3;
  c.optim.lr = 0;
  c.data.sources.resize(1);
  c.model.norm.options_as<RmsNorm::Config>().eps = std::numeric_limits<double>::quiet_NaN();
  try {
    check_config(c);
    FAIL();
  } catch (const ConfigError& e) {
    EXPECT_STREQ(e.what(),
                 "model.norm.eps: must be at least 0, is nan\n"
                 "optim.lr: must be above 0, is 0.0");
  }
  c = RunConfig();
  c.model.heads = 3;
  c.data.sources.resize(1);
  try {
    check_config(c);
    FAIL();
  } catch (const ConfigError& e) {
    EXPECT_STREQ(e.what(),
                 "model.heads: 3 heads do not divide dim 128\n"
                 "data.sources[0].path: must be given");
  }
}

}  // namespace
}  // namespace keel
