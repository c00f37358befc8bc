// Causal softmax attention with grouped-query heads (Vaswani et al., arXiv 1706.03762; Ainslie et
// al., arXiv 2305.13245): project, QK-norm, RoPE, scale 1 / sqrt(head_dim), attend, project.
#pragma once

#include <memory>

#include "nn/attention/mixer.h"
#include "nn/attention/qk_norm.h"

namespace keel {

class SoftmaxMixer final : public Mixer {
 public:
  struct Config final : keel::Config {
    QkNormChoice qk_norm{qk_norms(), "none", None::kAllowed};
    void fields(Fields& f) override {
      f("qk_norm", qk_norm, "norm of queries and keys, per head, before RoPE");
    }
  };
  SoftmaxMixer(const Config& config, const MixerArgs& args);
  Var forward(const Var& x_btd, Pass& pass) const override;
  MixerState make_state(int64_t rows, int64_t capacity) const override;

 private:
  MixerArgs args_;
  std::unique_ptr<HeadNorm> qk_norm_;
  std::unique_ptr<LinearWeight> qkv_, out_;
  ParameterRef out_bias_;
  QkvBias qkv_bias_;
  uint64_t weights_stream_, out_stream_;
};

}  // namespace keel
