// The branch of a block that mixes positions. A mixer owns its state between passes (a key-value
// cache, a recurrent state): make_state() gives an empty one, forward() reads and advances the one
// that the pass carries.
#pragma once

#include <string>

#include "nn/attention/qkv_bias.h"
#include "nn/linear/linear.h"
#include "nn/parameters.h"
#include "nn/position/position.h"
#include "nn/sublayer.h"

namespace keel {

struct MixerArgs {
  Parameters& parameters;
  const Position* position;  // may be null; outlives the mixer
  std::string name;          // prefix of its parameters
  int64_t dim, heads, kv_heads, head_dim, layer;
  AttentionBias bias;
  float dropout;
  const LinearChoice& linear;  // outlives the mixer
};

struct Mixer : Sublayer {
  // For `rows` sequences of up to `capacity` tokens.
  virtual MixerState make_state(int64_t rows, int64_t capacity) const = 0;
};

const Registry<Mixer, const MixerArgs&>& mixers();
using MixerChoice = Variant<Mixer, const MixerArgs&>;

}  // namespace keel
