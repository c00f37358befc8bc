// The table [model]: a decoder put together from the registries of nn/.
#pragma once

#include "nn/attention/mixer.h"
#include "nn/ffn/ffn.h"
#include "nn/init/init.h"
#include "nn/norm/norm.h"
#include "nn/placement/placement.h"
#include "nn/position/position.h"
#include "nn/residual/residual.h"

namespace keel {

struct ModelConfig final : Config {
  int64_t dim = 128, layers = 4, heads = 4;
  int64_t kv_heads = 0, head_dim = 0;
  int64_t context = 256, vocab = 0;
  bool tied = true, bias = false, attention_norm = true;
  double dropout = 0;
  NormChoice norm{norms(), "rms"};
  PlacementChoice placement{placements(), "pre"};
  ResidualChoice residual{residuals(), "none", None::kAllowed};
  MixerChoice attention{mixers(), "softmax"};
  PositionChoice position{positions(), "rope", None::kAllowed};
  FfnChoice ffn{ffns(), "swiglu"};
  Variant<Init, const InitArgs&> init{inits(), "gpt2"};

  // heads where kv_heads is 0, dim / heads where head_dim is 0.
  int64_t kv_heads_in_force() const { return kv_heads ? kv_heads : heads; }
  int64_t head_dim_in_force() const { return head_dim ? head_dim : dim / heads; }

  void fields(Fields& f) override;
  void validate(Errors& errors) const override;

 private:
  void validate_softmax(Errors& errors) const;
};

}  // namespace keel
