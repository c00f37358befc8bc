// The presets of the key `method`: each one loads, writes the same switches as all others, and is
// the model that its name says.
#include "train/methods.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "config/load.h"
#include "config/print.h"
#include "harness/check_op.h"
#include "models/tiny_decoder.h"
#include "ops/cross_entropy.h"
#include "ops/reshape.h"
#include "train/config.h"

namespace keel::test {
namespace {

RunConfig loaded(const std::string& text, const std::vector<std::string>& sets = {}) {
  RunConfig c;
  load_config_text("run.toml", text, sets, c);
  return c;
}

std::map<std::string, std::string> values_of(const Preset& p) {
  std::map<std::string, std::string> values;
  for (const Preset::Value& v : p.values) {
    EXPECT_TRUE(values.emplace(v.key, v.value).second) << p.name << " writes " << v.key << " twice";
  }
  return values;
}

// A key of a table is missing only where the preset gives that table another kind.
TEST(Methods, EachWritesEveryKeyThatAnyWrites) {
  for (const Preset& p : methods().list) {
    const std::map<std::string, std::string> own = values_of(p);
    for (const Preset& other : methods().list) {
      const std::map<std::string, std::string> theirs = values_of(other);
      for (const auto& [key, value] : theirs) {
        if (own.count(key)) continue;
        const std::string kind = key.substr(0, key.rfind('.')) + ".kind";
        ASSERT_TRUE(own.count(kind) && theirs.count(kind)) << p.name << " does not write " << key;
        EXPECT_NE(own.at(kind), theirs.at(kind)) << p.name << " does not write " << key;
      }
    }
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

// Every method is the baseline but for these keys (section 3 of the paper).
TEST(Methods, AreWhatTheyAreCalled) {
  using Keys = std::map<std::string, std::string>;
  const Keys qk_norm = {
      {"attention.qk_norm.kind", "\"layer\""},  {"attention.qk_norm.axis", "\"head\""},
      {"attention.qk_norm.gain", "\"shared\""}, {"attention.qk_norm.after_rope", "false"},
      {"attention.qk_norm.eps", "1e-05"},       {"attention.qk_norm.bias", "true"}};
  const auto with = [](Keys keys, const Keys& more) {
    for (const auto& [key, value] : more) keys[key] = value;
    return keys;
  };
  const std::map<std::string, Keys> own = {
      {"baseline", {}},
      {"soft_temp", {{"attention.temperature", "0.5"}}},
      {"soft_cap", {{"attention.softcap", "50.0"}}},
      {"soft_clip", {{"attention.clip_zeta", "1.03"}, {"attention.clip_gamma", "-0.03"}}},
      {"layer_scale", {{"residual.kind", "\"layer_scale\""}, {"residual.init", "0.1"}}},
      {"sigma_reparam", {{"linear.kind", "\"sigma_reparam\""}, {"linear.gamma", "\"sigma\""}}},
      {"qk_norm", qk_norm},
      {"qk_norm_cap", with(qk_norm, {{"attention.softcap", "50.0"}})},
      {"qkv_norm", with(qk_norm, {{"attention.v_norm", "true"}, {"attention_norm", "false"}})},
      {"qk_fc_norm", with(qk_norm, {{"placement.kind", "\"sandwich\""}})}};
  const auto model = [](const std::string& name) {
    Keys keys;
    for (const KeyValue& kv : flatten(loaded("", {"method=" + name}).model))
      keys[kv.key] = kv.value;
    return keys;
  };
  const Keys baseline = model("baseline");
  EXPECT_EQ(baseline.at("norm.kind"), "\"layer\"");
  EXPECT_EQ(baseline.at("norm.gain"), "true");
  EXPECT_EQ(baseline.at("norm.bias"), "true");
  EXPECT_EQ(baseline.at("placement.kind"), "\"pre\"");
  EXPECT_EQ(baseline.at("attention_norm"), "true");
  EXPECT_EQ(baseline.at("attention.qk_norm.kind"), "\"none\"");
  EXPECT_EQ(baseline.at("linear.kind"), "\"plain\"");
  ASSERT_EQ(methods().list.size(), own.size());
  for (const Preset& p : methods().list) {
    const Keys got = model(p.name);
    for (const auto& [key, value] : own.at(p.name)) {
      ASSERT_TRUE(got.count(key)) << p.name << ": " << key;
      EXPECT_EQ(got.at(key), value) << p.name << ": " << key;
    }
    for (const auto& [key, value] : got) {
      const auto was = baseline.find(key);
      if (own.at(p.name).count(key) || was == baseline.end()) continue;
      EXPECT_EQ(value, was->second) << p.name << ": " << key;
    }
  }
}

// What keel config show prints: beside every key the method that set it, and what the paper leaves
// open.
TEST(Methods, ShowWhatThePaperLeavesOpen) {
  RunConfig c;
  const LoadedConfig l = load_config_text("run.toml", "method = \"qkv_norm\"\n", {}, c);
  const std::string text = to_toml(c, &l.origins);
  for (const char* open : {"the paper does not say over what: over each head",
                           "the paper does not say: one gain for all heads",
                           "the paper does not say whether there is a bias",
                           "the paper does not say on which side of a rotation: in front"}) {
    EXPECT_NE(text.find(std::string("(method \"qkv_norm\"; ") + open), std::string::npos)
        << open << " in\n"
        << text;
  }
  for (const Preset::Value& v : methods().find("qkv_norm")->values) {
    const std::string& origin = l.origins.at(v.key);
    EXPECT_NE(origin.find("method \"qkv_norm\""), std::string::npos) << v.key;
    EXPECT_EQ(origin.find(v.note) != std::string::npos, true) << v.key;
  }
}

// Of a two-layer decoder.
TEST(Methods, GradientsEqualDifferences) {
  for (const Preset& preset : methods().list) {
    // A cut weight has no slope at its ends: a short step crosses few of them.
    const bool kinked = preset.name == "soft_clip";
    TinyDecoder t(loaded("[model]\ndim = 16\nlayers = 2\nheads = 4\nkv_heads = 2\ncontext = 8\n"
                         "[model.init]\ndeviation = 0.2\n",
                         {"method=" + preset.name})
                      .model);
    expect_gradients(t, kinked ? 3e-4 : 5e-3, kinked ? 2e-2 : 1e-3, preset.name);
  }
}

TEST(Methods, NoneSetsNothing) {
  const RunConfig none = loaded("method = \"none\""), plain = loaded("");
  EXPECT_EQ(to_toml(none), to_toml(plain));
}

}  // namespace
}  // namespace keel::test
