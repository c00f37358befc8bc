// The presets of the key `method`: each one loads, writes the same switches as all others, and is
// the model that its name says.
#include "train/methods.h"

#include <gtest/gtest.h>

#include <set>

#include "config/load.h"
#include "config/print.h"
#include "nn/norm/layer.h"
#include "train/config.h"

namespace keel::test {
namespace {

RunConfig loaded(const std::string& text, const std::vector<std::string>& sets = {}) {
  RunConfig c;
  load_config_text("run.toml", text, sets, c);
  return c;
}

TEST(Methods, EachWritesTheSameSwitches) {
  std::set<std::string> kinds;
  for (const Preset& p : methods().list) {
    for (const Preset::Value& v : p.values) {
      if (v.key.ends_with(".kind")) kinds.insert(v.key);
    }
  }
  for (const Preset& p : methods().list) {
    std::set<std::string> own;
    for (const Preset::Value& v : p.values) {
      EXPECT_TRUE(own.insert(v.key).second) << p.name << " writes " << v.key << " twice";
    }
    for (const std::string& kind : kinds) EXPECT_TRUE(own.count(kind)) << p.name << ": " << kind;
  }
}

// One after the other over each other is the last one alone.
TEST(Methods, OneReplacesAnotherWhole) {
  for (const Preset& first : methods().list) {
    for (const Preset& second : methods().list) {
      const RunConfig both = loaded("method = \"" + first.name + "\"", {"method=" + second.name});
      const RunConfig alone = loaded("method = \"" + second.name + "\"");
      EXPECT_EQ(to_toml(both), to_toml(alone)) << first.name << ", then " << second.name;
    }
  }
}

TEST(Methods, AreWhatTheyAreCalled) {
  const auto method = [](const std::string& name) { return loaded("", {"method=" + name}).model; };
  EXPECT_EQ(method("baseline").norm.kind(), "layer");
  EXPECT_TRUE(method("baseline").norm.options_as<LayerNorm::Config>().bias);
  EXPECT_EQ(method("baseline").linear.kind(), "plain");
  EXPECT_EQ(method("sigma_reparam").linear.kind(), "sigma_reparam");
  const auto qk_norm = [&](const std::string& name) {
    for (const KeyValue& kv : flatten(method(name))) {
      if (kv.key == "attention.qk_norm.kind") return kv.value;
    }
    return std::string("no such key");
  };
  EXPECT_EQ(qk_norm("baseline"), "\"none\"");
  EXPECT_EQ(qk_norm("qk_norm"), "\"layer\"");
}

TEST(Methods, NoneSetsNothing) {
  const RunConfig none = loaded("method = \"none\""), plain = loaded("");
  EXPECT_EQ(to_toml(none), to_toml(plain));
}

}  // namespace
}  // namespace keel::test
