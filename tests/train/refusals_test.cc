// Every combination of techniques that makes no sense, the reason that is given, and that
// docs/refusals.md lists them all.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "config/load.h"
#include "config/text.h"
#include "config/walk.h"
#include "core/error.h"
#include "io/fs.h"
#include "train/config.h"

namespace keel::test {
namespace {

struct Refusal {
  std::vector<std::string> sets;
  std::string text;  // key and reason
};

const std::string kOther = "; set \"plain\" or another model.init.kind";

const std::vector<Refusal>& model_refusals() {
  static const std::vector<Refusal> all{
      {{"model.heads=3"},
       "model.heads: 3 heads do not divide dim 128; choose a divisor, or set model.head_dim"},
      {{"model.kv_heads=3"}, "model.kv_heads: 3 key-value heads do not divide 4 heads"},
      {{"model.head_dim=5"},
       "model.position.kind: rope turns pairs of values, but a head has 5; choose an even head "
       "size"},
      {{"model.norm.gain=false", "model.norm.zero_centred=true"},
       "model.norm.zero_centred: there is no gain to be stored; leave it out, or set gain = true"},
      {{"model.norm.kind=batch"},
       "model.norm.kind: the statistics of a batch tell each token about later ones, so a causal "
       "model sees the future in training; as a negative control set allow_leak = true"},
      {{"model.placement.kind=reordered", "model.attention_norm=false"},
       "model.attention_norm: placement \"reordered\" has no norm in front of attention that could "
       "be left out; choose \"pre\""},
      {{"model.placement.kind=post", "model.final_norm=on"},
       "model.final_norm: \"on\" does not go with placement \"post\": the last block ends in a "
       "norm, and a second one behind it would norm the same values again"},
      {{"model.placement.kind=residual_dual", "model.final_norm=off"},
       "model.final_norm: \"off\" does not go with placement \"residual_dual\": the second stream "
       "reaches the output through this norm alone"},
      {{"model.position.kind=alibi", "model.attention.qk_norm={kind='rms', after_rope=true}"},
       "model.attention.qk_norm.after_rope: the position \"alibi\" does not rotate queries and "
       "keys; leave it false, or choose model.position.kind = \"rope\""},
      {{"model.attention.v_norm=true"},
       "model.attention.v_norm: values are normed as queries and keys are, which have no norm; "
       "choose a qk_norm.kind"},
      {{"model.attention.qk_norm.kind=l2", "model.attention.scale=mup"},
       "model.attention.scale: qk_norm.kind = \"l2\" has a scale of its own (qk_norm.scale); leave "
       "this one at \"sqrt\""},
      {{"model.attention.qk_norm.kind=l2", "model.attention.learned_scale=head"},
       "model.attention.learned_scale: qk_norm.kind = \"l2\" learns a scale already; set "
       "qk_norm.learned = false, or leave this one at \"none\""},
      {{"model.attention={entropy_weight=0.1}"},
       "model.attention.entropy_floor: no row is below 0; set it above, or leave entropy_weight at "
       "0"},
      {{"model.attention={entropy_weight=0.1, entropy_floor=1, sink='learned'}"},
       "model.attention.entropy_weight: is of weights that sum to 1, which they do not beside a "
       "sink; set sink = \"none\""},
      {{"model.attention={entropy_weight=0.1, entropy_floor=1, clip_gamma=-0.03}"},
       "model.attention.entropy_weight: is of weights that sum to 1, which clipped ones do not; "
       "set clip_zeta = 1 and clip_gamma = 0"},
      {{"model.position={kind='t5', buckets=8, max_distance=4}"},
       "model.position.max_distance: must be more than buckets / 2, where buckets of one distance "
       "end"},
      {{"model.init={kind='mup', zero_head=true}", "optim.weight_decay=0"},
       "model.init.zero_head: a tied head is the token table, which cannot start at 0; set "
       "model.tied = false"},
      {{"model.init.kind=mup", "model.linear.kind=sigma_reparam", "optim.weight_decay=0"},
       "model.linear.kind: muP's deviations and rates are those of plain weights, and "
       "\"sigma_reparam\" makes their size anew" +
           kOther},
      {{"model.init.kind=mup", "model.linear.kind=weight_norm", "optim.weight_decay=0"},
       "model.linear.kind: muP's deviations and rates are those of plain weights, and "
       "\"weight_norm\" makes their size anew" +
           kOther},
      {{"model.init.kind=mup", "model.head.bias=true", "optim.weight_decay=0"},
       "model.head.bias: muP multiplies what the head makes by 1 / width, and would shrink the "
       "bias "
       "with it; leave it false"}};
  return all;
}

const std::string kDecay =
    "optim.weight_decay: muP's rates fall with the width, and a decay that goes with the rate "
    "would "
    "fall with them; set optim.decay = \"independent\" (1e-4 is usual then), or optim.weight_decay "
    "= 0";

const std::vector<Refusal>& training_refusals() {
  static const std::vector<Refusal> all{
      {{"model.init.kind=mup"}, kDecay},
      {{"model.init.kind=mup", "optim.kind=lion"}, kDecay},
      {{"model.init.kind=mup", "optim={kind='sgd', weight_decay=0}"},
       "optim.kind: muP's rates are those for updates of Adam's size, and sgd's are as large as "
       "the gradients; choose \"adamw\" or another model.init.kind"},
      {{"model.init.kind=mup", "optim={kind='muon', scale='original'}"},
       "optim.scale: muP's rates are those for updates of Adam's size, and \"original\" fits "
       "updates to the width itself; set \"match_rms\" or another model.init.kind"},
      {{"model.init.kind=mup", "optim={kind='adafactor', scale_parameter=true}"},
       "optim.scale_parameter: muP's rates are those for updates of Adam's size, and these go with "
       "the size of the weights, which falls with the width already; set it to false or "
       "another model.init.kind"},
      {{"stop.patience=3", "eval.every=0"},
       "stop.patience: counts evaluations, and there is one only, after the last step; set "
       "eval.every"},
      {{"optim={kind='sgd', momentum=0, nesterov=true}"},
       "optim.nesterov: needs momentum; set optim.momentum, or nesterov = false"},
      {{"optim.qk_clip.tau=100", "model.attention.qk_norm.kind=rms"},
       "optim.qk_clip.tau: QK-norm undoes what QK-clip does to the weights; set optim.qk_clip.tau "
       "= 0 or model.attention.qk_norm.kind = \"none\""},
      {{"optim.qk_clip.tau=100", "model.linear.kind=weight_norm"},
       "optim.qk_clip.tau: model.linear.kind = \"weight_norm\" undoes what QK-clip does to the "
       "weights; set optim.qk_clip.tau = 0 or model.linear.kind = \"plain\""},
      {{"optim.qk_clip.tau=100", "model.position.kind=transformer_xl"},
       "optim.qk_clip.tau: QK-clip scales the projections of queries and keys, and "
       "model.position.kind = \"transformer_xl\" has terms of the scores that come from neither; "
       "set optim.qk_clip.tau = 0 or another model.position.kind"},
      {{"schedule={warmup=30, steps=20}"}, "schedule.warmup: 30 is more than schedule.steps = 20"},
      {{"schedule.warmup=30", "train.steps=20"},
       "schedule.warmup: 30 warm-up steps do not fit into 20 steps; set schedule.warmup or "
       "schedule.steps"},
      {{"schedule={kind='wsd', decay=0.5, warmup=11}", "train.steps=20"},
       "schedule.warmup: 11 warm-up steps and 10 steps of decay (schedule.decay = 0.5) do not fit "
       "into 20 steps"},
      {{"schedule={kind='one_cycle', warmup=3}"},
       "schedule.warmup: one_cycle rises by itself; set schedule.warmup = 0 (it is 3)"},
      {{"schedule={kind='one_cycle', momentum_low=0.96}"},
       "schedule.momentum_low: 0.96 is more than schedule.momentum_high = 0.95"},
      {{"schedule={kind='one_cycle', cycle_momentum=true}", "optim.kind=lion"},
       "schedule.cycle_momentum: optim.kind = \"lion\" has no momentum that a schedule could set; "
       "choose \"adamw\", \"stable_adamw\" or \"sgd\" with momentum, or leave this off"},
      {{"schedule={kind='one_cycle', cycle_momentum=true}", "optim={kind='sgd', momentum=0}"},
       "schedule.cycle_momentum: optim.kind = \"sgd\" has no momentum that a schedule could set; "
       "choose \"adamw\", \"stable_adamw\" or \"sgd\" with momentum, or leave this off"},
      {{"schedule={kind='slanted_triangular', warmup=3}"},
       "schedule.warmup: slanted_triangular rises by itself; set schedule.warmup = 0 (it is 3)"},
      {{"train.batch_warmup.start=4", "train.accumulate=2"},
       "train.batch_warmup.start: 4 is more than train.accumulate = 2"},
      {{"train.batch_warmup.start=1", "train.accumulate=2"},
       "train.batch_warmup.tokens: must be set where batch_warmup.start is"},
      {{"data.kind=copy", "model.context=1"},
       "model.context: is 1, data.kind = \"copy\" needs at least 2"},
      {{"data.kind=recall", "model.context=16"},
       "model.context: is 16, data.kind = \"recall\" with 8 pairs needs at least 17"},
      {{"data.kind=random"},
       "model.vocab: data.kind = \"random\" needs it: how many ids are there?"},
      {{"data.kind=npy", "data.document_mask=true"},
       "data.document_mask: tells documents apart by the id that ends one, and there is none; set "
       "data.end_token (or the tokenizer's `end`), or leave it false"},
      {{"train.steps=1000000000000", "train.batch=16777216"},
       "train.steps: 1000000000000 steps of 16777216 x 256 tokens are more than 1e+18, which "
       "cannot be "
       "counted"}};
  return all;
}

std::vector<Refusal> refusals() {
  std::vector<Refusal> all = model_refusals();
  all.insert(all.end(), training_refusals().begin(), training_refusals().end());
  return all;
}

std::string error_of(const std::vector<std::string>& sets) {
  RunConfig config;
  try {
    load_config_text("run.toml", "", sets, config);
  } catch (const ConfigError& e) {
    return e.what();
  }
  return "nothing";
}

TEST(Refusals, EachWithItsReasonAlone) {
  for (const Refusal& r : refusals()) {
    const std::string error = error_of(r.sets);
    EXPECT_EQ(error.substr(error.find(": ") + 2), r.text) << testing::PrintToString(r.sets);
  }
}

// Every key of a config, with other values of those that refusals may look at, as TOML.
class OtherValues final : public KeyWalk {
 public:
  std::map<std::string, std::vector<std::string>> of;

 private:
  void value(const std::string&, const Leaf&) override {}
  void empty_list(const std::string&) override {}
  void leaf(const Field& field, Leaf v) override {
    std::vector<std::string> values;
    if (std::holds_alternative<bool*>(v)) values = {"true", "false"};
    for (const std::string& s : field.range.values) values.push_back(quote_text(s));
    const auto add_numbers = [&](auto... numbers) {
      for (const double x : {static_cast<double>(numbers)...}) {
        if (field.range.allows(x)) values.push_back(plain(x));
      }
    };
    if (std::holds_alternative<int64_t*>(v)) add_numbers(0, 1, 2, 64);
    if (std::holds_alternative<double*>(v)) add_numbers(0, 0.5, 1, 2);
    note(field, values);
  }
  void choice(const Field& field, Choice& v) override {
    std::vector<std::string> values;
    for (const std::string& s : v.kinds()) values.push_back(quote_text(s));
    note(field, values);
    v.options().fields(*this);
  }
  void note(const Field& field, std::vector<std::string>& values) {
    const std::string key = join_key(prefix_, field.key);
    const std::string table = key.substr(0, key.find('.'));
    const bool looked_at = key == "method" || table == "data" || table == "model" ||
                           table == "optim" || table == "schedule" || table == "train" ||
                           table == "eval" || table == "stop";
    of[key] = looked_at ? std::move(values) : std::vector<std::string>();
  }
};

bool says(const std::string& error, const std::string& text) {
  return ("\n" + error + "\n").find(": " + text + "\n") != std::string::npos;
}

std::vector<std::string> with(std::vector<std::string> sets, const std::string& key,
                              const std::string& value) {
  sets.push_back(key + "=" + value);
  return sets;
}

// Whether a wrong value of the key may hide the refusal though no other value mends it: nobody
// knows the options of a kind that is not known, and a batch that grows takes several keys.
bool may_hide(const Refusal& r, const std::string& key) {
  if (key.starts_with("train.batch_warmup.")) return true;
  if (!key.ends_with(".kind")) return false;
  const std::string table = key.substr(0, key.size() - 4);
  return r.text.starts_with(table) || std::any_of(r.sets.begin(), r.sets.end(), [&](const auto& s) {
           return s.starts_with(table);
         });
}

// A wrong value hides the refusals that another value of the same key would have mended, because
// nobody knows what was meant, and no others.
TEST(Refusals, AreGivenBesideAWrongValueOfAnyKeyThatTheyDoNotLookAt) {
  for (const Refusal& r : refusals()) {
    RunConfig config;
    EXPECT_THROW(load_config_text("run.toml", "", r.sets, config), ConfigError);
    OtherValues others;
    walk(config, others);
    for (const auto& [key, values] : others.of) {
      // In a run that is shorter still, what is wrong with the warm-up is another thing.
      if (key == "train.steps" && r.text.ends_with("(it is 3)")) continue;
      const bool looked_at = std::any_of(values.begin(), values.end(), [&](const auto& v) {
        return !says(error_of(with(r.sets, key, v)), r.text);
      });
      if (!looked_at && may_hide(r, key)) continue;
      const std::string error = error_of(with(r.sets, key, "[[]]"));
      EXPECT_TRUE(says(error, r.text) != looked_at)
          << testing::PrintToString(r.sets) << " and a wrong " << key << " give\n"
          << error;
    }
  }
}

TEST(Refusals, AreThoseOfTheDocs) {
  std::string wanted;
  for (const Refusal& r : refusals()) {
    std::string sets;
    for (const std::string& s : r.sets) sets += (sets.empty() ? "`" : "<br>`") + s + "`";
    wanted += "| " + sets + " | " + r.text + " |\n";
  }
  const std::string page =
      real_fs().read_file(std::string(KEEL_SOURCE_DIR) + "/docs/refusals.md", 1 << 20);
  std::string listed;
  for (size_t at = 0; at < page.size();) {
    const size_t end = std::min(page.find('\n', at), page.size());
    const std::string line = page.substr(at, end - at) + "\n";
    if (line.starts_with("| `")) listed += line;
    at = end + 1;
  }
  EXPECT_EQ(listed, wanted);
}

// Each with the place where it was written, and rules of all tables at once.
TEST(Refusals, AllAtOnceWithLineAndColumn) {
  RunConfig config;
  try {
    load_config_text("run.toml",
                     "[model]\n"
                     "final_norm = \"on\"\n"
                     "attention_norm = false\n"
                     "placement.kind = \"deepnorm\"\n"
                     "init = {kind = \"mup\", zero_head = true}\n"
                     "linear.kind = \"weight_norm\"\n"
                     "[optim]\n"
                     "qk_clip.tau = 50\n"
                     "[schedule]\n"
                     "kind = \"one_cycle\"\n"
                     "warmup = 5\n",
                     {"optim.weight_decay=0.1"}, config);
    FAIL() << "no error";
  } catch (const ConfigError& e) {
    const std::string text = e.what();
    for (const char* line :
         {"run.toml:2:14: model.final_norm: \"on\" does not go with placement \"deepnorm\"",
          "run.toml:3:18: model.attention_norm: placement \"deepnorm\" has no norm",
          "run.toml:5:35: model.init.zero_head: a tied head is the token table",
          "run.toml:6:15: model.linear.kind: muP's deviations",
          "run.toml:8:15: optim.qk_clip.tau: model.linear.kind = \"weight_norm\" undoes",
          "--set: optim.weight_decay: muP's rates fall",
          "run.toml:11:10: schedule.warmup: one_cycle rises by itself"}) {
      EXPECT_NE(text.find(line), std::string::npos) << text << "\nlacks\n" << line;
    }
  }
}

}  // namespace
}  // namespace keel::test
