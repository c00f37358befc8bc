// A key that stands for others: what it overrides, what overrides it, and where values say they are
// from.
#include <gtest/gtest.h>

#include "config/example.h"
#include "config/presets.h"
#include "config/print.h"

namespace keel {
namespace {

using namespace example;

struct WithPresets final : Config {
  std::string recipe = "none";
  ModelConfig model;
  void fields(Fields& f) override {
    f("recipe", recipe, "sets keys of model", one_of({"none", "wide", "normed"}));
    f("model", model, "the network");
  }
  const Presets* presets() const override {
    static const Presets p{
        "recipe",
        {{"wide", "", {{"model.dim", "512", ""}, {"model.norm.kind", "\"rms\"", ""}}},
         {"normed",
          "",
          {{"model.dim", "128", "not said in the paper"},
           {"model.norm.kind", "\"layer\"", ""},
           {"model.norm.bias", "false", ""}}}}};
    return &p;
  }
};

struct Loaded {
  WithPresets config;
  LoadedConfig loaded;
  Loaded(const std::string& text, const std::vector<std::string>& sets = {}) {
    loaded = load_config_text("run.toml", text, sets, config);
  }
  std::string origin(const std::string& key) const { return loaded.origins.at(key); }
};

TEST(PresetKeys, StandForTheirValues) {
  const Loaded l("\nrecipe = \"normed\"\n");
  EXPECT_EQ(l.config.recipe, "normed");
  EXPECT_EQ(l.config.model.norm.kind(), "layer");
  EXPECT_FALSE(l.config.model.norm.options_as<LayerNorm::Config>().bias);
  EXPECT_EQ(l.origin("recipe"), "run.toml:2");
  EXPECT_EQ(l.origin("model.norm.kind"), "run.toml:2 (recipe \"normed\")");
  EXPECT_EQ(l.origin("model.dim"), "run.toml:2 (recipe \"normed\"; not said in the paper)");
  EXPECT_EQ(l.origin("model.heads"), "default");
}

TEST(PresetKeys, TheSameLayerOverridesThem) {
  const Loaded l("recipe = \"normed\"\nmodel.dim = 64\nmodel.norm.kind = \"rms\"\n");
  EXPECT_EQ(l.config.model.dim, 64);
  EXPECT_EQ(l.config.model.norm.kind(), "rms");
  EXPECT_EQ(l.loaded.notes,
            (std::vector<std::string>{
                "model.norm.bias (run.toml:1 (recipe \"normed\")) is dropped: run.toml:3 changes "
                "model.norm.kind from \"layer\" to \"rms\""}));
  const Loaded set("", {"model.dim=64", "recipe=wide"});  // whatever the order
  EXPECT_EQ(set.config.model.dim, 64);
  EXPECT_EQ(set.origin("model.norm.kind"), "--set (recipe \"wide\")");
}

TEST(PresetKeys, TheyOverrideLowerLayers) {
  const std::string file = "recipe = \"normed\"\nmodel.dim = 64\nmodel.norm.eps = 0.1\n";
  const Loaded l(file, {"recipe=wide"});
  EXPECT_EQ(l.config.recipe, "wide");
  EXPECT_EQ(l.config.model.dim, 512);
  EXPECT_EQ(l.config.model.norm.kind(), "rms");
  const Loaded table(file + "[set]\nrecipe = \"wide\"\n\"model.heads\" = 8\n");
  EXPECT_EQ(table.config.model.dim, 512);
  EXPECT_EQ(table.config.model.heads, 8);
  EXPECT_EQ(table.origin("model.dim"), "run.toml:5 (recipe \"wide\")");
}

// A resolved config says everything itself, and keeps saying where it came from.
TEST(PresetKeys, ResolvedConfigsAreNotExpandedAgain) {
  const Loaded l("recipe = \"normed\"\nmodel.dim = 64\n");
  const std::string text = to_toml(l.config, &l.loaded.origins);
  WithPresets again;
  const LoadedConfig loaded = load_resolved("config.toml", text, {}, again);
  EXPECT_EQ(to_toml(again, &loaded.origins), text);
  WithPresets other;
  load_resolved("config.toml", text, {"recipe=wide"}, other);
  EXPECT_EQ(other.model.dim, 512);
  EXPECT_EQ(other.model.norm.kind(), "rms");
}

TEST(PresetKeys, UnknownNames) {
  const auto error = [](const std::string& text, const std::vector<std::string>& sets) {
    try {
      const Loaded l(text, sets);
    } catch (const ConfigError& e) {
      return std::string(e.what());
    }
    return std::string("no error");
  };
  EXPECT_EQ(error("recipe = \"wid\"\n", {}),
            "run.toml:1:10: recipe: must be one of \"none\", \"wide\", \"normed\", is \"wid\", did "
            "you mean \"wide\"?");
  EXPECT_EQ(error("", {"recipe=3"}), "--set: recipe: must be a string");
  EXPECT_EQ(error("recipe = 3\nset.recipe = 4\n", {"recipe"}),
            "--set: \"recipe\" has no \"=\", expected key=value\n"
            "run.toml:2:14: recipe: must be a string");
  EXPECT_EQ(error("recipe = \"normed\"\nmodel.dim = 0\n", {}),
            "run.toml:2:13: model.dim: must be at least 1, is 0");
  // What it would have set is not known, so rules do not look at it.
  EXPECT_EQ(error("model.heads = 3\nrecipe = 3\n", {}), "run.toml:2:10: recipe: must be a string");
  EXPECT_EQ(error("model.heads = 3\nmodel.dim = 64\n", {"recipe=3"}),
            "--set: recipe: must be a string");
  EXPECT_EQ(error("model.heads = 3\nmodel.dim = 64\nrecipe = 3\n", {}),
            "run.toml:3:10: recipe: must be a string\n"
            "run.toml:1:15: model.heads: 3 heads do not divide dim 64");
}

}  // namespace
}  // namespace keel
