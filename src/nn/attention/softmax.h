// Causal softmax attention with grouped-query heads (Vaswani et al., arXiv 1706.03762; Ainslie et
// al., arXiv 2305.13245): project, norm, rotate, score, attend, gate, project. Scores go through
//   s = scale temperature exp(theta) q k; c tanh(s / c); + bias of the position; mask; softmax with
//   the sink in its denominator; clip((zeta - gamma) p + gamma, 0, 1).
// The entropy penalty of a layer, in training alone, is entropy_weight times the mean over rows and
// heads of max(0, entropy_floor - entropy of the row's weights); layers add up. It is no method of
// arXiv 2410.16682.
#pragma once

#include <memory>

#include "nn/attention/mixer.h"
#include "nn/attention/qk_norm.h"
#include "ops/attention.h"

namespace keel {

class SoftmaxMixer final : public Mixer {
 public:
  struct Config final : keel::Config {
    QkNormChoice qk_norm{qk_norms(), "none", None::kAllowed};
    bool v_norm = false;
    std::string scale = "sqrt", learned_scale = "none", sink = "none", gate = "none";
    double temperature = 1, softcap = 0, clip_zeta = 1, clip_gamma = 0;
    double entropy_weight = 0, entropy_floor = 0;
    double start_qk = 1, start_out = 1;
    int64_t window = 0;
    void fields(Fields& f) override;
    void validate(Errors& errors) const override;

   private:
    void validate_entropy(Errors& errors) const;
  };
  SoftmaxMixer(const Config& config, const MixerArgs& args);
  Var forward(const Var& x_btd, Pass& pass) const override;
  MixerState make_state(int64_t rows, int64_t capacity) const override;

 private:
  Qkv project(const Var& x_btd, const Pass& pass) const;
  AttentionArgs score_args() const;

  MixerArgs args_;
  std::unique_ptr<HeadNorm> qk_norm_;
  std::unique_ptr<RelativeTerm> relative_;  // of the position; may be null
  bool fused_;  // QK-norm and rotation are of the forms that split_qkv has
  float scale_, softcap_;
  float clip_high_, clip_low_;
  float entropy_weight_, entropy_floor_;
  int64_t window_;
  Tensor no_sink_logits_;  // zeros: off by one
  std::unique_ptr<LinearWeight> qkv_, out_, gate_;
  QkvBias qkv_bias_;
  ParameterRef gate_bias_, out_bias_, sink_, log_scale_;
  uint64_t weights_stream_, out_stream_;
};

}  // namespace keel
