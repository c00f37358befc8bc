#include "train/methods.h"

namespace keel {
namespace {

using Values = std::vector<Preset::Value>;

// What every method writes: all switches that any of the ten touches. A method's own rows replace
// those of the same key, and those of a table whose kind it changes come after that kind.
const Values& baseline() {
  static const Values v{
      {"model.norm.kind", "\"layer\"", "the paper says LayerNorm"},
      {"model.norm.eps", "1e-5", "the paper does not say"},
      {"model.norm.gain", "true", ""},
      {"model.norm.bias", "true", "the paper does not say whether there is a bias"},
      {"model.placement.kind", "\"pre\"", ""},
      {"model.residual.kind", "\"none\"", ""},
      {"model.attention_norm", "true", ""},
      {"model.attention.temperature", "1.0", ""},
      {"model.attention.softcap", "0.0", ""},
      {"model.attention.clip_zeta", "1.0", ""},
      {"model.attention.clip_gamma", "0.0", ""},
      {"model.attention.qk_norm.kind", "\"none\"", ""},
      {"model.attention.v_norm", "false", ""},
      {"model.linear.kind", "\"plain\"", ""},
  };
  return v;
}

Preset method(std::string name, std::string doc, const Values& own) {
  Preset p{std::move(name), std::move(doc), baseline()};
  for (const Preset::Value& v : own) {
    bool replaced = false;
    for (Preset::Value& old : p.values) {
      if (old.key != v.key) continue;
      old = v;
      replaced = true;
    }
    if (!replaced) p.values.push_back(v);
  }
  return p;
}

Values with(Values values, const Values& more) {
  values.insert(values.end(), more.begin(), more.end());
  return values;
}

const Values& qk_norm() {
  static const Values v{
      {"model.attention.qk_norm.kind", "\"layer\"", "the paper says LayerNorm"},
      {"model.attention.qk_norm.axis", "\"head\"",
       "the paper does not say over what: over each head"},
      {"model.attention.qk_norm.gain", "\"shared\"",
       "the paper does not say: one gain for all heads"},
      {"model.attention.qk_norm.after_rope", "false",
       "the paper does not say on which side of a rotation: in front"},
      {"model.attention.qk_norm.eps", "1e-5", "the paper does not say"},
      {"model.attention.qk_norm.bias", "true", "the paper does not say whether there is a bias"}};
  return v;
}

const Values& soft_cap() {
  static const Values v{{"model.attention.softcap", "50.0", "before the mask"}};
  return v;
}

}  // namespace

// The ten methods of Rybakov et al., arXiv 2410.16682, section 3.
const Presets& methods() {
  static const Presets p{
      "method",
      {method("baseline", "pre-norm transformer", {}),
       method("soft_temp", "attention logits times 0.5",
              {{"model.attention.temperature", "0.5",
                "the paper does not say whether beta multiplies or divides: multiplies"}}),
       method("soft_cap", "attention logits capped by 50 tanh(x / 50)", soft_cap()),
       method("soft_clip", "attention weights stretched and clipped to [0, 1]",
              {{"model.attention.clip_zeta", "1.03", ""},
               {"model.attention.clip_gamma", "-0.03", ""}}),
       method("layer_scale", "each branch times a trained vector",
              {{"model.residual.kind", "\"layer_scale\"", ""},
               {"model.residual.init", "0.1", "the paper does not say how it starts"}}),
       method("sigma_reparam", "every linear of the blocks is gamma / sigma(W) W",
              {{"model.linear.kind", "\"sigma_reparam\"",
                "the paper does not say which linears: those of the blocks; LayerNorms stay"},
               {"model.linear.gamma", "\"sigma\"", "the paper does not say how gamma starts"}}),
       method("qk_norm", "LayerNorm of queries and keys", qk_norm()),
       method("qk_norm_cap", "LayerNorm of queries and keys, and soft_cap",
              with(qk_norm(), soft_cap())),
       method("qkv_norm", "LayerNorm of queries, keys and values in place of the one before them",
              with(qk_norm(), {{"model.attention.v_norm", "true", ""},
                               {"model.attention_norm", "false", ""}})),
       method("qk_fc_norm", "LayerNorm of queries, keys and the outputs of both branches",
              with(qk_norm(), {{"model.placement.kind", "\"sandwich\"",
                                "norms behind Proj and FC2 as well as in front"}}))}};
  return p;
}

}  // namespace keel
