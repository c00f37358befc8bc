// What the switches of attention and of positions promise of a whole decoder.
#include <gtest/gtest.h>

#include <cmath>

#include "config/load.h"
#include "harness/check_op.h"
#include "models/decoder.h"

namespace keel::test {
namespace {

constexpr int64_t kVocab = 13, kTime = 8;

struct Small {
  Decoder model;
  explicit Small(const std::vector<std::string>& sets)
      : model(config(sets), kVocab, DeviceKind::kCpu, DType::kF32) {
    model.initialise(3);
  }
  static ModelConfig config(const std::vector<std::string>& sets) {
    ModelConfig c;
    load_config_text("small.toml",
                     "dim = 16\nlayers = 2\nheads = 4\nkv_heads = 2\ncontext = 8\n"
                     "[init]\ndeviation = 0.5\n",
                     sets, c);
    return c;
  }
  static Pass pass() {
    std::vector<int32_t> tokens;
    for (int32_t i = 0; i < kTime; ++i) tokens.push_back(i * 5 % static_cast<int32_t>(kVocab));
    Pass p;
    p.tokens = from_host({1, kTime}, std::span<const int32_t>(tokens));
    return p;
  }
  Tensor logits(Pass p) const {
    NoGrad off;
    return model.logits(p).t;
  }
  Tensor logits() const { return logits(pass()); }
  // The largest recorded logit of any head of any layer.
  float largest_logit() const {
    Probes probes;
    probes.wanted = true;
    probes.attention.resize(2);
    Pass p = pass();
    p.probes = &probes;
    logits(p);
    float largest = 0;
    for (const AttentionProbe& a : probes.attention) {
      for (const float x : a.logit_max) largest = std::max(largest, x);
    }
    return largest;
  }
  void multiply(const std::string& suffix, float factor) {
    for (const Parameter& p : model.parameters().list()) {
      for (int64_t i = 0; i < p.weight.size() && p.name.ends_with(suffix); ++i) {
        p.weight.data<float>()[i] *= factor;
      }
    }
  }
  // Everything that is not a product with the name's end gets noise.
  void add_noise(const std::string& suffix, double deviation) {
    uint64_t seed = 7;
    for (const Parameter& p : model.parameters().list()) {
      if (!p.name.ends_with(suffix)) continue;
      const std::vector<float> noise = normal_values(p.weight.size(), ++seed, deviation);
      for (int64_t i = 0; i < p.weight.size(); ++i) {
        p.weight.data<float>()[i] += noise[static_cast<size_t>(i)];
      }
    }
  }
  float largest(const std::string& suffix) const {
    float top = 0;
    for (const Parameter& p : model.parameters().list()) {
      if (!p.name.ends_with(suffix)) continue;
      for (const float x : to_host(p.weight)) top = std::max(top, std::abs(x));
    }
    return top;
  }
};

// Two documents in one row, kept apart, are what each is alone: positions restart.
TEST(Positions, RestartWithEachDocument) {
  for (std::string kind : positions().names()) {
    for (const std::string& more : {std::string(), std::string("attention.window=3")}) {
      std::vector<std::string> sets{"position.kind=" + kind};
      if (!more.empty()) sets.push_back(more);
      const Small m(sets);
      Pass both = Small::pass(), second;
      std::vector<int32_t> start;
      for (int32_t i = 0; i < kTime; ++i) start.push_back(i < 5 ? 0 : 5);
      both.segments = from_host({1, kTime}, std::span<const int32_t>(start));
      second.tokens = both.tokens.slice(1, 5, 8);
      const std::vector<float> tokens = to_host(second.tokens);
      std::vector<int32_t> ids(tokens.begin(), tokens.end());
      second.tokens = from_host({1, 3}, std::span<const int32_t>(ids));
      const Tensor got = m.logits(both).slice(1, 5, 8), want = m.logits(second);
      EXPECT_LT(relative_error(from_host(want.shape(), to_host(got)), want), 1e-5) << kind << more;
    }
  }
}

// |logit| <= sqrt(d_k) max |g_q| max |g_k| for norms without bias; sigma by sigma with unit gains.
TEST(QkNorm, BoundsTheRecordedLogit) {
  for (const char* norm :
       {"{kind='rms'}", "{kind='layer', bias=false}", "{kind='rms', gain='head'}",
        "{kind='layer', bias=false, after_rope=true}", "{kind='dyt', bias=false}",
        "{kind='dyt', bias=false, gain='head'}"}) {
    Small m({std::string("attention.qk_norm=") + norm});
    m.multiply(".q.weight", 50);
    m.multiply(".k.weight", 50);
    EXPECT_LE(m.largest_logit(), std::sqrt(4.0f) * 1.0001f) << norm;
    m.add_noise("q_norm.gain", 1);
    m.add_noise("k_norm.gain", 1);
    EXPECT_LE(m.largest_logit(),
              std::sqrt(4.0f) * m.largest("q_norm.gain") * m.largest("k_norm.gain") * 1.0001f)
        << norm;
  }
  Small plain({});
  const float before = plain.largest_logit();
  plain.multiply(".q.weight", 50);
  EXPECT_GT(plain.largest_logit(), 20 * before);
}

TEST(QkNorm, LogitsForgetTheScaleOfTheWeights) {
  for (const char* norm : {"{kind='rms', eps=0}", "{kind='layer', eps=0}", "{kind='l2'}"}) {
    Small m({std::string("attention.qk_norm=") + norm});
    const Tensor before = m.logits();
    m.multiply(".q.weight", 4);
    m.multiply(".k.weight", 0.5f);
    EXPECT_LT(relative_error(m.logits(), before), 1e-5) << norm;
  }
}

// DyT undoes no scale, alpha and the weights are one product; where alpha is small it is the linear
// map, times alpha in each of q and k.
TEST(QkNormDyt, IsAFunctionOfAlphaTimesTheWeights) {
  const char* const kHalf = "attention.qk_norm={kind='dyt', alpha=0.5}";
  Small half({kHalf}), two({"attention.qk_norm={kind='dyt', alpha=2}"});
  half.multiply(".q.weight", 4);
  half.multiply(".k.weight", 4);
  EXPECT_TRUE(same_bits(half.logits(), two.logits()));
  EXPECT_FALSE(same_bits(Small({kHalf}).logits(), two.logits()));
  const std::string layer = "layers=1";
  const float plain = Small({layer}).largest_logit();
  const float small = Small({layer, "attention.qk_norm={kind='dyt', alpha=1e-3}"}).largest_logit();
  EXPECT_NEAR(small / 1e-6f, plain, 1e-3 * plain);
}

TEST(QkNormDyt, AlphaIsOfAHeadWhereItsGainIs) {
  const auto alphas = [](const char* norm) {
    const Small m({std::string("attention={v_norm=true, qk_norm=") + norm + "}"});
    std::vector<int64_t> sizes;
    for (const Parameter& p : m.model.parameters().list()) {
      if (p.name.starts_with("blocks.0.") && p.name.ends_with("_norm.alpha")) {
        sizes.push_back(p.weight.size());
      }
    }
    return sizes;
  };
  EXPECT_EQ(alphas("{kind='dyt', gain='head'}"), (std::vector<int64_t>{4, 2, 2}));
  for (const char* one :
       {"{kind='dyt'}", "{kind='dyt', gain='none'}", "{kind='dyt', gain='head', axis='width'}"}) {
    EXPECT_EQ(alphas(one), (std::vector<int64_t>{1, 1, 1})) << one;
  }
}

// The recorded logit has temperature in it; scales multiply.
TEST(Temperature, MultipliesTheLogits) {
  const float plain = Small({"layers=1"}).largest_logit();
  EXPECT_NEAR(Small({"layers=1", "attention.temperature=0.5"}).largest_logit(), plain / 2,
              1e-5 * plain);
  EXPECT_NEAR(Small({"layers=1", "attention.scale=mup"}).largest_logit(), plain / 2, 1e-5 * plain);
  EXPECT_NEAR(Small({"layers=1", "attention.scale=one"}).largest_logit(), plain * 2, 1e-5 * plain);
  EXPECT_NEAR(Small({"layers=1", "attention.softcap=0.01"}).largest_logit(), plain, 1e-6 * plain);
}

// K's bias moves all scores of a row together, unless positions turn it (techniques: bias removal).
TEST(KeyBias, DoesNothingWithoutRotation) {
  for (const char* position : {"none", "alibi", "rope"}) {
    Small m({"bias=true", std::string("position.kind=") + position});
    const Tensor before = m.logits();
    m.add_noise(".k.bias", 1);
    const double change = relative_error(m.logits(), before);
    if (std::string(position) == "rope") {
      EXPECT_GT(change, 1e-3);
    } else {
      EXPECT_LT(change, 1e-5) << position;
    }
  }
}

// A window as long as the context hides nothing; a gate of 0 halves attention; no sink is a sink
// far below.
TEST(Attention, SwitchesThatChangeNothing) {
  const Tensor plain = Small({}).logits();
  EXPECT_TRUE(same_bits(Small({"attention.window=8"}).logits(), plain));
  EXPECT_TRUE(same_bits(Small({"attention.learned_scale=head"}).logits(), plain));
  Small sink({"attention.sink=learned"});
  sink.add_noise(".sink", 0);
  EXPECT_FALSE(same_bits(sink.logits(), plain));
  for (const Parameter& p : sink.model.parameters().list()) {
    for (int64_t i = 0; i < p.weight.size() && p.name.ends_with(".sink"); ++i) {
      p.weight.data<float>()[i] = -100;
    }
  }
  EXPECT_LT(relative_error(sink.logits(), plain), 1e-6);
  Small gate({"attention.gate=head"}), half({});
  gate.multiply("attention.gate.weight", 0);
  half.multiply("attention.out.weight", 0.5f);
  EXPECT_LT(relative_error(gate.logits(), half.logits()), 1e-6);
}

// MQA is grouped queries with one key head: one head's K and V for all of them.
TEST(Attention, ManyHeadsOfEqualKeysAreMqa) {
  Small mqa({"kv_heads=1"}), mha({"kv_heads=4"});
  for (const Parameter& p : mha.model.parameters().list()) {
    for (const Parameter& from : mqa.model.parameters().list()) {
      if (from.name != p.name) continue;
      for (int64_t i = 0; i < p.weight.size(); ++i) {
        p.weight.data<float>()[i] = from.weight.data<float>()[i % from.weight.size()];
      }
    }
  }
  EXPECT_LT(relative_error(mha.logits(), mqa.logits()), 1e-6);
}

// With u = v = 0 and W_R = 0 Transformer-XL knows no positions.
TEST(TransformerXl, WithoutItsTermIsNoPosition) {
  Small xl({"position.kind=transformer_xl"});
  const Tensor none = Small({"position.kind=none"}).logits();
  EXPECT_GT(relative_error(xl.logits(), none), 1e-3);
  xl.multiply(".distance.weight", 0);
  xl.multiply(".content_bias", 0);
  EXPECT_LT(relative_error(xl.logits(), none), 1e-6);
}

}  // namespace
}  // namespace keel::test
