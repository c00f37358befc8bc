#include "train/methods.h"

namespace keel {
namespace {

using Values = std::vector<Preset::Value>;

// What every method writes; a method's own rows replace those of the same key. Rows in a table
// whose kind a method changes belong to the old kind and are left out with it.
const Values& baseline() {
  static const Values v{
      {"model.norm.kind", "\"layer\"", "the paper says LayerNorm"},
      {"model.norm.eps", "1e-5", "the paper does not say"},
      {"model.norm.bias", "true", "the paper does not say whether there is a bias"},
      {"model.placement.kind", "\"pre\"", ""},
      {"model.residual.kind", "\"none\"", ""},
      {"model.attention.qk_norm.kind", "\"none\"", ""},
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

const Values kQkNorm{
    {"model.attention.qk_norm.kind", "\"layer\"",
     "the paper does not say over what: over each head, one gain for all heads"},
    {"model.attention.qk_norm.eps", "1e-5", "the paper does not say"},
    {"model.attention.qk_norm.bias", "true", "the paper does not say whether there is a bias"},
};

}  // namespace

const Presets& methods() {
  static const Presets p{
      "method",
      {method("baseline", "pre-norm transformer", {}),
       method("sigma_reparam", "every linear of the blocks is gamma / sigma(W) W",
              {{"model.linear.kind", "\"sigma_reparam\"",
                "the paper does not say which linears: those of the blocks; LayerNorms stay"},
               {"model.linear.gamma", "\"sigma\"", "the paper does not say how gamma starts"}}),
       method("qk_norm", "LayerNorm of queries and keys", kQkNorm)}};
  return p;
}

}  // namespace keel
