#include "models/decoder.h"

#include <fmt/format.h>

#include "core/philox.h"
#include "nn/observer.h"
#include "ops/add.h"
#include "ops/dropout.h"
#include "ops/embedding.h"
#include "ops/linear.h"
#include "ops/softcap.h"

namespace keel {

Decoder::Decoder(const ModelConfig& config, int64_t vocab, DeviceKind device, DType compute)
    : config_(config),
      vocab_(vocab),
      parameters_(device, compute),
      init_(inits().make(
          config.init, {config.layers, config.dim, !config.placement_options().weighs_by_depth()})),
      embedding_stream_(stream_of("embedding.dropout")) {
  const int64_t dim = config_.dim;
  embedding_ = parameters_.add("embedding.weight", {vocab, dim}, Role::kEmbedding);
  position_ = positions().make(config_.position, {parameters_, dim, config_.head_dim_in_force(),
                                                  config_.context, config_.heads});
  embedding_norm_ = norms().make(config_.embedding_norm, {parameters_, "embedding_norm", dim});
  for (int64_t i = 0; i < config_.layers; ++i) blocks_.push_back(make_block(i));
  if (config_.final_norm_in_force()) {
    final_norm_ = norms().make(config_.norm, {parameters_, "final_norm", dim});
  }
  if (!config_.tied) head_ = parameters_.add("head.weight", {vocab, dim}, Role::kHead);
  if (config_.head.bias) head_bias_ = parameters_.add("head.bias", {vocab}, Role::kBias);
  parameters_.allocate();
}

Decoder::Block Decoder::make_block(int64_t layer) {
  const ModelConfig& c = config_;
  const std::string name = fmt::format("blocks.{}", layer);
  const float drop = static_cast<float>(c.dropout);
  Block b;
  b.placement = placements().make(c.placement, {parameters_, c.norm, c.residual, name, c.dim, layer,
                                                c.layers, c.attention_norm});
  b.mixer = mixers().make(c.attention, {parameters_, position_.get(), name + ".attention", c.dim,
                                        c.heads, c.kv_heads_in_force(), c.head_dim_in_force(),
                                        layer, c.attention_bias_in_force(), drop, c.linear});
  b.ffn = ffns().make(
      c.ffn, {parameters_, name + ".ffn", c.dim, c.ffn_bias_in_force(), drop, c.linear, layer});
  return b;
}

void Decoder::initialise(uint64_t seed) {
  parameters_.fill(*init_, seed, config_.placement_options().branch_init(config_.layers));
}

void Decoder::observed_block(size_t layer, Stream& s, Pass& pass, PassObserver& observer) const {
  const Block& b = blocks_[layer];
  const int64_t i = static_cast<int64_t>(layer);
  b.placement->block(s, Observed(*b.mixer, "attention", i, observer),
                     Observed(*b.ffn, "ffn", i, observer), pass);
  observer.see("stream", i, s.branch_btd ? add(s.x_btd, s.branch_btd) : s.x_btd);
}

Var Decoder::hidden(Pass& pass, PassObserver* observer) const {
  parameters_.begin_pass(pass.step != nullptr);
  pass.penalty = Var();
  Stream s;
  s.x_btd = embedding(pass.tokens, embedding_.var(), position_ ? position_->table() : Var(),
                      pass.segments, pass.offset,
                      position_ ? static_cast<float>(position_->embedding_scale()) : 1.0f);
  if (embedding_norm_) s.x_btd = embedding_norm_->forward(s.x_btd, DType::kF32);
  if (pass.step) {
    s.x_btd = dropout(s.x_btd, {static_cast<float>(config_.dropout), embedding_stream_, pass.step});
  }
  if (observer) observer->see("embedding", 0, s.x_btd);
  for (size_t i = 0; i < blocks_.size(); ++i) {
    const Block& b = blocks_[i];
    if (observer) {
      observed_block(i, s, pass, *observer);
    } else {
      b.placement->block(s, *b.mixer, *b.ffn, pass);
    }
  }
  return blocks_.back().placement->finish(s, final_norm_.get(), parameters_.compute());
}

HeadOptions Decoder::head_options() const {
  HeadOptions o;
  o.scale = static_cast<float>(init_->output_multiplier());
  o.softcap = static_cast<float>(config_.head.softcap);
  return o;
}

Var Decoder::logits_of(const Var& hidden) const {
  const HeadOptions o = head_options();
  const Var product = linear(hidden, head(), head_bias(), DType::kF32);
  return o.plain() ? product : softcap(product, o.scale, o.softcap);
}

std::vector<MixerState> Decoder::make_states(int64_t rows, int64_t capacity) const {
  std::vector<MixerState> states;
  for (const Block& b : blocks_) states.push_back(b.mixer->make_state(rows, capacity));
  return states;
}

}  // namespace keel
