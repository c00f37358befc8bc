// The table [model]: a decoder put together from the registries of nn/.
#pragma once

#include <string>

#include "nn/attention/mixer.h"
#include "nn/ffn/ffn.h"
#include "nn/init/init.h"
#include "nn/norm/norm.h"
#include "nn/placement/placement.h"
#include "nn/position/position.h"
#include "nn/residual/residual.h"

namespace keel {

// The table [model.head].
struct HeadConfig final : Config {
  bool bias = false;
  double softcap = 0;
  void fields(Fields& f) override {
    f("bias", bias, "a bias of each token's logit, which starts at 0");
    f("softcap", softcap, "c of c tanh(logit / c) on the output logits (arXiv 2408.00118); 0: none",
      at_least(0));
  }
};

// The table [model.biases]: which linears have a bias. Norms have a switch of their own.
struct BiasConfig final : Config {
  std::string q = "inherit", k = "inherit", v = "inherit", out = "inherit", ffn = "inherit";
  void fields(Fields& f) override;
};

struct ModelConfig final : Config {
  int64_t dim = 128, layers = 4, heads = 4;
  int64_t kv_heads = 0, head_dim = 0;
  int64_t context = 256, vocab = 0;
  bool tied = true, bias = false, attention_norm = true;
  double dropout = 0;
  BiasConfig biases;
  NormChoice norm{norms(), "rms"};
  NormChoice embedding_norm{norms(), "none", None::kAllowed};
  std::string final_norm = "auto";
  PlacementChoice placement{placements(), "pre"};
  ResidualChoice residual{residuals(), "none", None::kAllowed};
  MixerChoice attention{mixers(), "softmax"};
  PositionChoice position{positions(), "rope", None::kAllowed};
  FfnChoice ffn{ffns(), "swiglu"};
  LinearChoice linear{linears(), "plain"};
  HeadConfig head;
  Variant<Init, const InitArgs&> init{inits(), "gpt2"};

  // heads where kv_heads is 0, dim / heads where head_dim is 0.
  int64_t kv_heads_in_force() const { return kv_heads ? kv_heads : heads; }
  int64_t head_dim_in_force() const { return head_dim ? head_dim : dim / heads; }

  // model.biases over model.bias.
  AttentionBias attention_bias_in_force() const;
  bool ffn_bias_in_force() const;
  // What the placement wants where final_norm is "auto".
  bool final_norm_in_force() const;
  const PlacementOptions& placement_options() const {
    return placement.options_as<PlacementOptions>();
  }

  void fields(Fields& f) override;
  void validate(Errors& errors) const override;

 private:
  void validate_heads(Errors& errors) const;
  void validate_mup(Errors& errors) const;
  void validate_softmax(Errors& errors) const;
};

// Whether nothing that a branch is made of would ever get a gradient: its output is 0 and so is
// what multiplies it.
bool branch_stays_zero(const ResidualChoice& residual, const Init& init);

}  // namespace keel
