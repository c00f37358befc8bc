// A decoder-only transformer put together from the registries: embedding, blocks, final norm, head.
// Glue only: what the parts do is theirs. Legend: b batch, t time, d dim, v vocabulary.
#pragma once

#include <memory>
#include <vector>

#include "models/config.h"
#include "nn/parameters.h"
#include "nn/pass.h"
#include "ops/cross_entropy.h"

namespace keel {

struct PassObserver;  // nn/observer.h

class Decoder {
 public:
  // Parameters are laid out, not filled. `vocab`: token ids in force. Throws MemoryError.
  Decoder(const ModelConfig& config, int64_t vocab, DeviceKind device, DType compute);
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  // First values of all parameters.
  void initialise(uint64_t seed);

  // [b, t, d] in the compute dtype: what the head reads. DataError for a token outside the table.
  // An observer is shown what the parts give.
  Var hidden(Pass& pass, PassObserver* observer = nullptr) const;
  // [v, d]: the head's weight (the embedding table when tied).
  Var head() const { return head_ ? head_.var() : embedding_.var(); }
  // f32 [v], or empty.
  Var head_bias() const { return head_bias_.var(); }
  // What the head does to its product besides.
  HeadOptions head_options() const;
  // f32 [..., v], of what hidden() gave or a part of it.
  Var logits_of(const Var& hidden) const;
  // f32 [b, t, v]
  Var logits(Pass& pass) const { return logits_of(hidden(pass)); }

  // Empty states of all mixers, for `rows` sequences of up to `capacity` tokens.
  std::vector<MixerState> make_states(int64_t rows, int64_t capacity) const;
  // Whether generation can slide past the context.
  bool slides() const { return !position_ || position_->slides(); }

  // What the parametrisation multiplies the rate of a parameter by.
  double rate_factor(const Parameter& p) const { return init_->rate_factor(p.role, p.shape); }

  Parameters& parameters() { return parameters_; }
  const Parameters& parameters() const { return parameters_; }
  const ModelConfig& config() const { return config_; }
  int64_t vocab() const { return vocab_; }

 private:
  struct Block {
    std::unique_ptr<Placement> placement;
    std::unique_ptr<Mixer> mixer;
    std::unique_ptr<Sublayer> ffn;
  };
  Block make_block(int64_t layer);
  void observed_block(size_t layer, Stream& s, Pass& pass, PassObserver& observer) const;

  ModelConfig config_;
  int64_t vocab_;
  Parameters parameters_;
  ParameterRef embedding_, head_, head_bias_;
  std::unique_ptr<Init> init_;
  std::unique_ptr<Position> position_;
  std::vector<Block> blocks_;
  std::unique_ptr<Norm> embedding_norm_, final_norm_;
  uint64_t embedding_stream_;
};

}  // namespace keel
