// The presets of the key `method`: each one loads, writes the same switches as all others, and is
// the model that its name says.
#include "train/methods.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "config/load.h"
#include "config/print.h"
#include "harness/check_op.h"
#include "models/decoder.h"
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

// Of the loss of a two-layer decoder by a switch of arXiv 2410.16682 at a time: the gradient of
// each tensor along itself and along a random direction against differences of the loss.
struct TinyMethod {
  static constexpr int64_t kRows = 2, kTime = 7, kVocab = 13;
  std::string name;
  Decoder model;
  Tensor tokens, targets;

  explicit TinyMethod(const std::string& method)
      : name(method),
        model(loaded("[model]\ndim = 16\nlayers = 2\nheads = 4\nkv_heads = 2\ncontext = 8\n"
                     "[model.init]\ndeviation = 0.2\n",
                     {"method=" + method})
                  .model,
              kVocab, DeviceKind::kCpu, DType::kF32) {
    model.initialise(3);
    uint64_t seed = 0;
    for (const Parameter& p : model.parameters().list()) {
      if (p.shape.axes() > 1) continue;
      const std::vector<float> noise = normal_values(p.weight.size(), ++seed, 0.3);
      for (size_t i = 0; i < noise.size(); ++i) p.weight.data<float>()[i] += noise[i];
    }
    std::vector<int32_t> in(kRows * kTime), out(kRows * kTime);
    for (size_t i = 0; i < in.size(); ++i) {
      in[i] = static_cast<int32_t>(i * 5 % kVocab);
      out[i] = static_cast<int32_t>(i * 7 % kVocab);
    }
    tokens = from_host({kRows, kTime}, std::span<const int32_t>(in));
    targets = from_host({kRows * kTime}, std::span<const int32_t>(out));
  }

  CrossEntropy cross_entropy() const {
    Pass pass;
    pass.tokens = tokens;
    const Var hidden = reshape(model.hidden(pass), {kRows * kTime, model.config().dim});
    return head_loss(hidden, model.head(), targets, {}, nullptr, 0, model.head_options());
  }
  double loss() const {
    NoGrad off;
    double sum = 0;
    for (const float row : to_host(cross_entropy().rows)) sum += static_cast<double>(row);
    return sum;
  }
  void gradients() {
    model.parameters().want_gradients(true);
    model.parameters().begin_gradients();
    backward(cross_entropy().loss);
    model.parameters().finish_gradients();
  }
  // d loss along v, by differences of order 4.
  double slope(const Tensor& weight, const std::vector<float>& v, double h) const {
    const std::vector<float> w = to_host(weight);
    const auto at = [&](double step) {
      for (size_t i = 0; i < w.size(); ++i) {
        weight.data<float>()[i] = w[i] + static_cast<float>(step * static_cast<double>(v[i]));
      }
      return loss();
    };
    const double near = (at(h) - at(-h)) / (2 * h), far = (at(2 * h) - at(-2 * h)) / (4 * h);
    at(0);
    return (4 * near - far) / 3;
  }
};

double dot(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i)
    sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

TEST(Methods, GradientsEqualDifferences) {
  for (const Preset& preset : methods().list) {
    // A cut weight has no slope at its ends: a short step crosses few of them.
    const bool kinked = preset.name == "soft_clip";
    const double h = kinked ? 3e-4 : 5e-3, bound = kinked ? 2e-2 : 1e-3;
    TinyMethod t(preset.name);
    t.gradients();
    const std::vector<float> all = to_host(t.model.parameters().flat_grads());
    const double whole = std::sqrt(dot(all, all));
    ASSERT_GT(whole, 0.1);
    for (const Parameter& p : t.model.parameters().list()) {
      const std::vector<float> g = to_host(p.grad);
      const double norm = std::max(std::sqrt(dot(g, g)), 0.01 * whole);
      for (std::vector<float> v : {g, normal_values(p.grad.size(), 5)}) {
        const double length = std::max(std::sqrt(dot(v, v)), 1e-12);
        for (float& x : v) x = static_cast<float>(static_cast<double>(x) / length);
        const double rounding = 1e-6 / h;  // of the losses that a difference is taken of
        EXPECT_NEAR(t.slope(p.weight, v, h) / norm, dot(v, g) / norm, bound + rounding / norm)
            << p.name << " with " << preset.name;
      }
    }
  }
}

TEST(Methods, NoneSetsNothing) {
  const RunConfig none = loaded("method = \"none\""), plain = loaded("");
  EXPECT_EQ(to_toml(none), to_toml(plain));
}

}  // namespace
}  // namespace keel::test
