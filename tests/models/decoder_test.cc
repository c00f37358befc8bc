// Decoders of every kind that the registries know, and what a decoder promises.
#include "models/decoder.h"

#include <gtest/gtest.h>

#include <cmath>

#include "config/load.h"
#include "config/print.h"
#include "core/error.h"
#include "harness/check_op.h"
#include "harness/config_coverage.h"
#include "harness/expect_error.h"
#include "ops/cross_entropy.h"
#include "ops/reshape.h"
#include "tiny_decoder.h"
#include "variants.h"

namespace keel::test {
namespace {

constexpr int64_t kRows = TinyDecoder::kRows, kTime = TinyDecoder::kTime,
                  kVocab = TinyDecoder::kVocab;

ModelConfig tiny(std::vector<std::string> sets) {
  ModelConfig config;
  for (const std::string& s : sets) {
    if (s != "init.kind=xavier") continue;
    sets.emplace_back("init.tables=0.2");  // as the deviation that the other kinds get
    break;
  }
  load_config_text("tiny.toml",
                   "dim = 16\nlayers = 2\nheads = 4\nkv_heads = 2\ncontext = 8\n"
                   "[init]\ndeviation = 0.2\n",
                   sets, config);
  return config;
}

struct Tiny : TinyDecoder {
  explicit Tiny(const std::vector<std::string>& sets) : TinyDecoder(tiny(sets)) {}
};

// relu has no slope at 0, a cut weight at its ends: a step must be short to cross few of those
// points.
bool kinked(const std::vector<std::string>& sets) {
  for (const std::string& s : sets) {
    if (s.ends_with("=relu") || s.ends_with("=reglu") || s.find("clip") != s.npos) return true;
  }
  return false;
}

// Scores of cosines times 10 bend within a longer step.
bool sharp(const std::vector<std::string>& sets) {
  for (const std::string& s : sets) {
    if (s.ends_with("qk_norm.kind=l2")) return true;
  }
  return false;
}

// Every tensor by itself, along its gradient and along a random direction.
void check_gradients(const std::vector<std::string>& sets) {
  const double h = kinked(sets) ? 3e-4 : sharp(sets) ? 1e-3 : 5e-3;
  // Transformer-XL has gradients so small that the loss's last bit shows.
  const bool small = sets[0].ends_with("transformer_xl");
  const double bound = kinked(sets) ? 2e-2 : sharp(sets) || small ? 2e-3 : 1e-3;
  Tiny t(sets);
  expect_gradients(t, h, bound, testing::PrintToString(sets));
}

class EveryKind : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Models, EveryKind, testing::ValuesIn(model_kinds("")), [](const auto& i) {
  std::string name = i.param;
  for (char& c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return name;
});

TEST_P(EveryKind, ConfigRoundTrips) {
  const ModelConfig config = tiny({GetParam()});
  const std::string text = to_toml(config);
  ModelConfig again;
  load_config_text("again.toml", text, {}, again);
  EXPECT_EQ(to_toml(again), text);
  EXPECT_EQ(config_hash(again), config_hash(config));
}

TEST_P(EveryKind, GradientsEqualDifferences) {
  check_gradients({GetParam()});
  const bool has_options = GetParam().starts_with("norm=");
  check_gradients(
      {GetParam(), "bias=true", "tied=false", has_options ? "layers=2" : "norm.kind=layer"});
}

TEST(Decoder, GradientsOfTheOtherForms) {
  check_gradients({"norm.kind=layer", "norm.bias=false", "ffn.hidden=24"});
  check_gradients({"attention.qk_norm.kind=layer", "attention.qk_norm.bias=false", "kv_heads=1"});
  check_gradients({"placement.kind=post", "position.kind=learned", "kv_heads=4", "head_dim=6"});
  check_gradients({"head.softcap=2", "init.kind=mup", "init.base_dim=8", "init.deviation=0.2"});
  check_gradients({"head.bias=true", "head.softcap=2"});
  check_gradients({"head.bias=true", "tied=false", "bias=true"});
  check_gradients({"linear.kind=weight_norm", "ffn.kind=gelu", "tied=false"});
  check_gradients({"linear.kind=sigma_reparam", "linear.gamma=one", "kv_heads=1"});
}

TEST(Decoder, TheFutureIsHidden) {
  std::vector<std::string> kinds = attention_switches("");
  for (const std::string& kind : positions().names()) kinds.push_back("position.kind=" + kind);
  kinds.emplace_back("position.kind=none");
  for (const std::string& kind : kinds) {
    Tiny t({kind});
    const auto logits = [&] {
      NoGrad off;
      Pass p = t.pass();
      return to_host(t.model.logits(p).t);
    };
    const std::vector<float> before = logits();
    t.tokens.data<int32_t>()[4] = 1 + t.tokens.data<int32_t>()[4] % (kVocab - 1);
    const std::vector<float> after = logits();
    for (size_t i = 0; i < before.size(); ++i) {
      const size_t time = i / kVocab;
      if (time < 4 || time >= kTime) {
        EXPECT_EQ(before[i], after[i]) << kind << " at " << time;
      }
    }
    EXPECT_NE(before[4 * kVocab], after[4 * kVocab]);
    EXPECT_NE(before[6 * kVocab], after[6 * kVocab]);
  }
}

TEST(Decoder, TiedHeadIsTheTable) {
  const Tiny tied({}), untied({"tied=false"});
  EXPECT_EQ(tied.model.head().t.raw(), tied.model.parameters().list()[0].weight.raw());
  EXPECT_EQ(untied.model.parameters().list().back().name, "head.weight");
  EXPECT_EQ(untied.model.parameters().count() - tied.model.parameters().count(), kVocab * 16);
}

// q, k, v (and gate, up) have names of their own and lie side by side.
TEST(Decoder, StacksAreOnePieceOfMemory) {
  const Tiny t({});
  const std::vector<Parameter>& all = t.model.parameters().list();
  for (size_t i = 1; i < all.size(); ++i) {
    const bool follows = all[i].name.ends_with(".k.weight") || all[i].name.ends_with(".v.weight") ||
                         all[i].name.ends_with(".up.weight");
    if (!follows) continue;
    EXPECT_EQ(all[i].weight.data<float>(),
              all[i - 1].weight.data<float>() + all[i - 1].weight.size());
    EXPECT_EQ(all[i].grad.data<float>(), all[i - 1].grad.data<float>() + all[i - 1].grad.size());
  }
}

TEST(Decoder, KeptAndRebuiltValuesGiveTheSameBits) {
  for (const std::string& kind : model_kinds("")) {
    Tiny kept({kind}), rebuilt({kind});
    kept.gradients();
    const RebuildFrom any(0);
    rebuilt.gradients();
    EXPECT_TRUE(
        same_bits(kept.model.parameters().flat_grads(), rebuilt.model.parameters().flat_grads()))
        << kind;
  }
}

// Generation sees the logits that training saw: multiplied and capped.
TEST(Decoder, LogitsAreCapped) {
  const auto logits = [](const std::vector<std::string>& sets) {
    NoGrad off;
    const Tiny t(sets);
    Pass p = t.pass();
    return to_host(t.model.logits(p).t);
  };
  const std::vector<float> plain = logits({}), capped = logits({"head.softcap=0.5"});
  for (size_t i = 0; i < plain.size(); ++i) {
    EXPECT_NEAR(capped[i], 0.5 * std::tanh(double(plain[i]) / 0.5), 1e-6);
  }
  const std::vector<float> mup = logits({"init.kind=mup", "init.base_dim=16", "init.output=3"});
  for (size_t i = 0; i < plain.size(); ++i) EXPECT_NEAR(mup[i], 3 * plain[i], 1e-5);
}

// The bias is one more parameter, starts at 0, and is added in front of the cap.
TEST(Decoder, LogitsHaveABias) {
  const auto logits = [](const std::vector<std::string>& sets, float bias) {
    NoGrad off;
    const Tiny t(sets);
    for (const Parameter& p : t.model.parameters().list()) {
      if (p.name != "head.bias") continue;
      for (int64_t i = 0; i < kVocab; ++i) p.weight.data<float>()[i] = bias * float(i);
    }
    Pass p = t.pass();
    return to_host(t.model.logits(p).t);
  };
  const std::vector<float> plain = logits({}, 0);
  EXPECT_EQ(logits({"head.bias=true"}, 0), plain);
  const std::vector<float> with = logits({"head.bias=true"}, 0.1f);
  const std::vector<float> capped = logits({"head.bias=true", "head.softcap=0.5"}, 0.1f);
  for (size_t i = 0; i < plain.size(); ++i) {
    EXPECT_NEAR(with[i], double(plain[i]) + 0.1 * double(i % kVocab), 1e-5);
    EXPECT_NEAR(capped[i], 0.5 * std::tanh(double(with[i]) / 0.5), 1e-6);
  }
  Decoder fresh(tiny({"head.bias=true"}), kVocab, DeviceKind::kCpu, DType::kF32);
  fresh.initialise(3);
  const Parameter& last = fresh.parameters().list().back();
  EXPECT_EQ(last.name, "head.bias");
  EXPECT_EQ(to_host(last.weight), std::vector<float>(kVocab));
}

TEST(Decoder, LinearsStartAsThePlainOnes) {
  const auto loss = [](const std::string& kind) {
    Tiny t({"linear.kind=" + kind});
    t.model.initialise(3);
    return t.loss();
  };
  EXPECT_NEAR(loss("sigma_reparam"), loss("plain"), 1e-4);
  EXPECT_EQ(loss("weight_norm"), loss("plain"));
}

TEST(Decoder, TokenOutsideTheTable) {
  Tiny t({});
  t.tokens.data<int32_t>()[9] = kVocab;
  EXPECT_THROW(t.loss(), DataError);
  Tape::current().clear();
}

TEST(ModelConfig, EveryMemberIsAKey) { harness::expect_all_walked<ModelConfig>("model"); }

TEST(ModelConfig, RulesBetweenMembers) {
  expect_error<ConfigError>(
      "--set: heads: 3 heads do not divide dim 16; choose a divisor, or set model.head_dim", [] {
        tiny({"heads=3", "kv_heads=3"});
      });
  expect_error<ConfigError>("--set: kv_heads: 3 key-value heads do not divide 4 heads",
                            [] { tiny({"kv_heads=3"}); });
  expect_error<ConfigError>(
      "tiny.toml: position.kind: rope turns pairs of values, but a head has 5; choose an even head "
      "size",
      [] { tiny({"head_dim=5"}); });
  EXPECT_NO_THROW(tiny({"head_dim=5", "position.kind=learned"}));
  expect_error<ConfigError>(
      "--set: init.zero_head: a tied head is the token table, which cannot start at 0; set "
      "model.tied = false",
      [] {
        tiny({"init.kind=mup", "init.zero_head=true"});
      });
  EXPECT_NO_THROW(tiny({"init.kind=mup", "init.zero_head=true", "tied=false"}));
  expect_error<ConfigError>(
      "--set: attention_norm: placement \"post\" has no norm in front of attention that could be "
      "left out; choose \"pre\"",
      [] {
        tiny({"attention_norm=false", "placement.kind=post"});
      });
  expect_error<ConfigError>(
      "--set: attention.qk_norm.after_rope: the position \"alibi\" does not rotate queries and "
      "keys; leave it false, or choose model.position.kind = \"rope\"",
      [] {
        tiny({"attention.qk_norm={kind='rms', after_rope=true}", "position.kind=alibi"});
      });
}

TEST(SoftmaxMixer, RulesBetweenMembers) {
  expect_error<ConfigError>(
      "--set: attention.v_norm: values are normed as queries and keys are, which have no norm; "
      "choose a qk_norm.kind",
      [] { tiny({"attention.v_norm=true"}); });
  expect_error<ConfigError>(
      "--set: attention.scale: qk_norm.kind = \"l2\" has a scale of its own (qk_norm.scale); leave "
      "this one at \"sqrt\"",
      [] {
        tiny({"attention.qk_norm.kind=l2", "attention.scale=mup"});
      });
  expect_error<ConfigError>(
      "--set: attention.learned_scale: qk_norm.kind = \"l2\" learns a scale already; set "
      "qk_norm.learned = false, or leave this one at \"none\"",
      [] {
        tiny({"attention.qk_norm.kind=l2", "attention.learned_scale=head"});
      });
  expect_error<ConfigError>(
      "--set: position.max_distance: must be more than buckets / 2, where buckets of one distance "
      "end",
      [] {
        tiny({"position.kind=t5", "position.max_distance=16"});
      });
}

TEST(Ffn, WidthKeepsParametersEqual) {
  FfnOptions o;
  EXPECT_EQ(ffn_width(o, 128, false), 512);
  EXPECT_EQ(ffn_width(o, 128, true), 344);  // 341.3 to the nearest multiple of 8
  EXPECT_EQ(ffn_width(o, 768, true), 2048);
  o.multiple = 256;
  EXPECT_EQ(ffn_width(o, 768, true), 2048);
  EXPECT_EQ(ffn_width(o, 30, true), 256);  // never nothing
  o.hidden = 100;
  EXPECT_EQ(ffn_width(o, 768, true), 100);
  o = {};
  for (const int64_t dim : {256, 264, 384, 512, 768, 1000, 4096}) {
    const double plain = 2.0 * 4.0 * double(dim), gated = 3.0 * double(ffn_width(o, dim, true));
    EXPECT_LT(std::abs(gated - plain) / plain, 0.01) << dim;
  }
}

TEST(Decoder, AttentionsFirstValuesTimesAFactor) {
  const Tiny plain({}), scaled({"attention.start_qk=3", "attention.start_out=0.5"});
  const std::vector<Parameter>& a = plain.model.parameters().list();
  const std::vector<Parameter>& b = scaled.model.parameters().list();
  ASSERT_EQ(a.size(), b.size());
  size_t changed = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    ASSERT_EQ(a[i].name, b[i].name);
    const bool qk =
        a[i].name.ends_with("attention.q.weight") || a[i].name.ends_with("attention.k.weight");
    const bool out = a[i].name.ends_with("attention.out.weight");
    const float factor = qk ? 3.0f : out ? 0.5f : 1.0f;
    changed += qk || out ? 1 : 0;
    for (int64_t j = 0; j < a[i].weight.size(); ++j) {
      const float x = a[i].weight.data<float>()[j];
      ASSERT_NEAR(b[i].weight.data<float>()[j], factor * x, 1e-6f * std::abs(factor * x))
          << a[i].name;
    }
  }
  EXPECT_EQ(changed, 3 * static_cast<size_t>(plain.model.config().layers));
}

}  // namespace
}  // namespace keel::test
