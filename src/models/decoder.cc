#include "models/decoder.h"

#include <fmt/format.h>

#include "core/philox.h"
#include "ops/add.h"
#include "ops/cast.h"
#include "ops/dropout.h"
#include "ops/embedding.h"
#include "ops/linear.h"

namespace keel {

Decoder::Decoder(const ModelConfig& config, int64_t vocab, DeviceKind device, DType compute)
    : config_(config),
      vocab_(vocab),
      parameters_(device, compute),
      embedding_stream_(stream_of("embedding.dropout")) {
  const int64_t dim = config_.dim;
  embedding_ = parameters_.add("embedding.weight", {vocab, dim}, Role::kEmbedding);
  position_ = positions().make(config_.position, {parameters_, dim, config_.head_dim_in_force(),
                                                  config_.context, config_.heads});
  for (int64_t i = 0; i < config_.layers; ++i) blocks_.push_back(make_block(i));
  if (blocks_.back().placement->final_norm()) {
    final_norm_ = norms().make(config_.norm, {parameters_, "final_norm", dim});
  }
  if (!config_.tied) head_ = parameters_.add("head.weight", {vocab, dim}, Role::kHead);
  parameters_.allocate();
}

Decoder::Block Decoder::make_block(int64_t layer) {
  const ModelConfig& c = config_;
  const std::string name = fmt::format("blocks.{}", layer);
  const float drop = static_cast<float>(c.dropout);
  Block b;
  b.placement = placements().make(c.placement, {parameters_, c.norm, c.residual, name, c.dim, layer,
                                                c.layers, c.attention_norm});
  b.mixer = mixers().make(c.attention,
                          {parameters_, position_.get(), name + ".attention", c.dim, c.heads,
                           c.kv_heads_in_force(), c.head_dim_in_force(), layer, c.bias, drop});
  b.ffn = ffns().make(c.ffn, {parameters_, name + ".ffn", c.dim, c.bias, drop});
  return b;
}

void Decoder::initialise(uint64_t seed) {
  parameters_.fill(*inits().make(config_.init, {config_.layers}), seed);
}

Var Decoder::hidden(Pass& pass) const {
  Stream s;
  s.x_btd = embedding(pass.tokens, embedding_.var(), position_ ? position_->table() : Var(),
                      pass.segments, pass.offset,
                      position_ ? static_cast<float>(position_->embedding_scale()) : 1.0f);
  if (pass.step) {
    s.x_btd = dropout(s.x_btd, {static_cast<float>(config_.dropout), embedding_stream_, pass.step});
  }
  for (const Block& b : blocks_) b.placement->block(s, *b.mixer, *b.ffn, pass);
  if (final_norm_) return normed(s, *final_norm_, parameters_.compute());
  if (s.branch_btd) s.x_btd = add(s.x_btd, s.branch_btd);
  return cast(s.x_btd, parameters_.compute());
}

Var Decoder::logits(Pass& pass) const { return linear(hidden(pass), head(), {}, DType::kF32); }

std::vector<MixerState> Decoder::make_states(int64_t rows, int64_t capacity) const {
  std::vector<MixerState> states;
  for (const Block& b : blocks_) states.push_back(b.mixer->make_state(rows, capacity));
  return states;
}

}  // namespace keel
