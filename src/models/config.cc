#include "models/config.h"

#include <fmt/format.h>

#include "nn/attention/softmax.h"
#include "nn/init/mup.h"

namespace keel {
namespace {

// A site's own word, or that of model.bias.
bool has_bias(const std::string& site, bool inherited) {
  return site == "inherit" ? inherited : site == "on";
}

}  // namespace

void BiasConfig::fields(Fields& f) {
  const Range states = one_of({"inherit", "on", "off"});
  f("q", q, "of the queries; inherit: as model.bias says", states);
  f("k", k, "of the keys (nothing changes by it without rope and QK-norm)", states);
  f("v", v, "of the values", states);
  f("out", out, "of attention's output", states);
  f("ffn", ffn, "of both feed-forward projections; norms: model.norm.bias", states);
}

void ModelConfig::fields(Fields& f) {
  f("dim", dim, "width of the residual stream", between(1, 1 << 20));
  f("layers", layers, "number of blocks", between(1, 10000));
  f("heads", heads, "query heads", between(1, 1 << 16));
  f("kv_heads", kv_heads, "key-value heads (grouped queries); 0: as many as heads",
    between(0, 1 << 16));
  f("head_dim", head_dim, "size of a head; 0: dim / heads", between(0, 1 << 16));
  f("context", context, "tokens in a sequence", between(1, 1 << 24));
  f("vocab", vocab, "token ids; 0: what the data has", between(0, 1 << 24));
  f("tied", tied, "the output head is the embedding table");
  f("bias", bias, "biases in all linears of the blocks");
  f("biases", biases, "biases site by site");
  f("dropout", dropout, "share dropped of embeddings, attention weights and branches",
    at_least(0).below(1));
  f("norm", norm, "norm of the residual stream");
  f("embedding_norm", embedding_norm, "norm of the embedding");
  f("final_norm", final_norm, "norm after the last block; auto: as the placement has it",
    one_of({"auto", "on", "off"}));
  f("placement", placement, "where norms sit and streams add");
  f("attention_norm", attention_norm,
    "a norm in front of attention; off for QKV-norm, which norms behind the projection");
  f("residual", residual, "what multiplies a branch");
  f("attention", attention, "what mixes positions");
  f("position", position, "how positions are told");
  f("ffn", ffn, "feed-forward layer");
  f("linear", linear, "weights of the linears in the blocks");
  f("head", head, "output logits");
  f("init", init, "first values of the parameters");
}

AttentionBias ModelConfig::attention_bias_in_force() const {
  return {has_bias(biases.q, bias), has_bias(biases.k, bias), has_bias(biases.v, bias),
          has_bias(biases.out, bias)};
}

bool ModelConfig::ffn_bias_in_force() const { return has_bias(biases.ffn, bias); }

bool ModelConfig::final_norm_in_force() const {
  return final_norm == "auto" ? placement_options().final_norm().wanted : final_norm == "on";
}

bool branch_stays_zero(const ResidualChoice& residual, const Init& init) {
  return !residual.is_none() && residual.options_as<ResidualOptions>().start() == 0 &&
         init.start(Role::kResidualOutput, {1, 1}).value == 0;
}

void ModelConfig::validate_softmax(Errors& errors) const {
  const auto& qk_norm = attention.options_as<SoftmaxMixer::Config>().qk_norm;
  if (qk_norm.is_none() || position.kind() == "rope") return;
  if (!dynamic_cast<const QkNormOptions&>(qk_norm.options()).after_rope) return;
  errors.add("attention.qk_norm.after_rope",
             fmt::format("the position \"{}\" does not rotate queries and keys; leave it false, or "
                         "choose model.position.kind = \"rope\"",
                         position.kind()),
             {"attention.kind", "attention.qk_norm.kind", "position.kind"});
}

void ModelConfig::validate_heads(Errors& errors) const {
  const bool whole = head_dim != 0 || dim % heads == 0;
  if (!whole) {
    errors.add("heads",
               fmt::format("{} heads do not divide dim {}; choose a divisor, or set model.head_dim",
                           heads, dim),
               {"dim", "head_dim"});
  }
  if (heads % kv_heads_in_force() != 0) {
    errors.add("kv_heads",
               fmt::format("{} key-value heads do not divide {} heads", kv_heads_in_force(), heads),
               {"heads"});
  }
  const int64_t hd = head_dim_in_force();
  if (position.kind() != "rope" || !whole || hd % 2 == 0) return;
  std::vector<std::string> others{"head_dim"};
  if (head_dim == 0) others.insert(others.end(), {"dim", "heads"});
  errors.add(
      "position.kind",
      fmt::format("rope turns pairs of values, but a head has {}; choose an even head size", hd),
      others);
}

void ModelConfig::validate_mup(Errors& errors) const {
  if (tied && init.options_as<MupInit::Config>().zero_head) {
    errors.add("init.zero_head",
               "a tied head is the token table, which cannot start at 0; set model.tied = false",
               {"init.kind", "tied"});
  }
  if (linear.kind() != "plain") {
    errors.add(
        "linear.kind",
        fmt::format("muP's deviations and rates are those of plain weights, and \"{}\" makes "
                    "their size anew; set \"plain\" or another model.init.kind",
                    linear.kind()),
        {"init.kind"});
  }
  if (head.bias) {
    errors.add(
        "head.bias",
        "muP multiplies what the head makes by 1 / width, and would shrink the bias with it; "
        "leave it false",
        {"init.kind"});
  }
}

void ModelConfig::validate(Errors& errors) const {
  validate_heads(errors);
  if (init.kind() == "mup") validate_mup(errors);
  if (attention.kind() == "softmax") validate_softmax(errors);
  if (!attention_norm && !placement_options().has_attention_norm()) {
    errors.add("attention_norm",
               fmt::format("placement \"{}\" has no norm in front of attention that could be left "
                           "out; choose \"pre\"",
                           placement.kind()),
               {"placement.kind", "placement.two_norms"});
  }
  const FinalNorm wanted = placement_options().final_norm();
  if (final_norm_in_force() != wanted.wanted && !wanted.reason.empty()) {
    errors.add("final_norm",
               fmt::format("\"{}\" does not go with placement \"{}\": {}", final_norm,
                           placement.kind(), wanted.reason),
               {"placement.kind"});
  }
  if (branch_stays_zero(residual, *inits().make(init, {layers}))) {
    errors.add("residual",
               "the branch is multiplied by 0 and its output projection starts at 0, so "
               "neither gets a gradient; start one of them elsewhere",
               {"residual", "init", "layers"});
  }
}

}  // namespace keel
