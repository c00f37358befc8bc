#include "models/config.h"

#include <fmt/format.h>

#include "nn/attention/softmax.h"

namespace keel {

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
  f("dropout", dropout, "share dropped of embeddings, attention weights and branches",
    at_least(0).below(1));
  f("norm", norm, "norm of the residual stream");
  f("placement", placement, "where norms sit and streams add");
  f("attention_norm", attention_norm,
    "a norm in front of attention; off for QKV-norm, which norms behind the projection");
  f("residual", residual, "what multiplies a branch");
  f("attention", attention, "what mixes positions");
  f("position", position, "how positions are told");
  f("ffn", ffn, "feed-forward layer");
  f("init", init, "first values of the parameters");
}

void ModelConfig::validate_softmax(Errors& errors) const {
  const auto& qk_norm = attention.options_as<SoftmaxMixer::Config>().qk_norm;
  if (qk_norm.is_none() || position.kind() == "rope") return;
  if (!dynamic_cast<const QkNormOptions&>(qk_norm.options()).after_rope) return;
  errors.add("attention.qk_norm.after_rope",
             fmt::format("the position \"{}\" does not rotate queries and keys; leave it false, or "
                         "choose model.position.kind = \"rope\"",
                         position.kind()));
}

void ModelConfig::validate(Errors& errors) const {
  if (head_dim == 0 && dim % heads != 0) {
    errors.add("heads", fmt::format("{} heads do not divide dim {}; choose a divisor, or set "
                                    "model.head_dim",
                                    heads, dim));
  }
  if (heads % kv_heads_in_force() != 0) {
    errors.add("kv_heads", fmt::format("{} key-value heads do not divide {} heads",
                                       kv_heads_in_force(), heads));
  }
  if (!attention_norm && placement.kind() != "pre") {
    errors.add("attention_norm", fmt::format("placement \"{}\" has no norm in front of attention "
                                             "that could be left out; choose \"pre\"",
                                             placement.kind()));
  }
  if (attention.kind() == "softmax") validate_softmax(errors);
  const int64_t hd = head_dim_in_force();
  if (position.kind() == "rope" && (head_dim != 0 || dim % heads == 0) && hd % 2 != 0) {
    errors.add("position", fmt::format("rope turns pairs of values, but a head has {}; choose an "
                                       "even head size",
                                       hd));
  }
}

}  // namespace keel
