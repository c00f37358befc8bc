#include "lab/techniques/technique.h"

namespace keel {
namespace {

constexpr Technique kNorms[] = {
    {.name = "rms_norm",
     .on = "model.norm.kind=rms",
     .line = "each row over its root mean square, times a trained gain",
     .what = "LayerNorm without the centring. The bias is a switch of its own. The paper has no "
             "epsilon; its authors' code adds 1e-8 to the root (eps_inside = false is that form).",
     .formula = "y = x / sqrt(mean(x^2) + eps) * gain",
     .source = "Zhang and Sennrich, 2019, arXiv 1910.07467",
     .unknown = "Whether it changes quality: the paper's transformer has BLEU 26.6 / 27.7 with "
                "LayerNorm and 26.8 / 27.7 with RMSNorm (two test sets, single runs). What it "
                "gains is time, and a fair timing compares fused with fused.",
     .wrong = "It is not LayerNorm with the bias switched off: what it drops is the centring."},
    {.name = "layer_norm",
     .on = "model.norm.kind=layer",
     .line = "each row centred and over its deviation, gain and bias",
     .what = "With bias = false it is the LayerNorm without bias.",
     .formula = "y = (x - mean) / sqrt(var + eps) * gain + bias",
     .source = "Ba et al., 2016, arXiv 1607.06450"},
    {.name = "partial_rms_norm",
     .on = "model.norm.kind=prms",
     .line = "RMSNorm whose mean square is that of the first values of a row alone",
     .what = "Relies on channels being exchangeable; few values make a noisy statistic.",
     .formula = "y = x / sqrt(mean(x_i^2, i < k) + eps) * gain,  k = ceil(share dim)",
     .source = "Zhang and Sennrich, 2019, arXiv 1910.07467, section 4",
     .unknown = "Whether it changes quality: BLEU 26.5 / 27.8 beside LayerNorm's 26.6 / 27.7, "
                "single runs."},
    {.name = "l2_norm",
     .on = "model.norm.kind=l2",
     .line = "each row at unit length, times sqrt(dim) and a gain",
     .what = "With the factor and a gain of 1 it is RMSNorm without an epsilon.",
     .formula = "y = x / max(|x|, eps) * sqrt(dim) * gain",
     .source = "Zhang and Sennrich, 2019, arXiv 1910.07467 (as what RMSNorm is compared with)",
     .conflicts = "scale_sqrt_dim = false: the paper found the form without the factor worse."},
    {.name = "dynamic_tanh",
     .on = "model.norm.kind=dyt",
     .line = "a tanh with a trained slope in place of every norm; no statistics",
     .what = "It does not undo the scale of its input, so it gives up what makes a norm stabilise.",
     .formula = "y = gain * tanh(alpha x) + bias",
     .source = "Zhu et al., 2025, arXiv 2503.10622",
     .conflicts = "High learning rates.",
     .unknown = "Its losses on language models: no table of them was found."},
    {.name = "batch_norm",
     .on = "model.norm.kind=batch model.norm.allow_leak=true",
     .line = "negative control: each channel by the statistics of the whole batch",
     .what = "A token depends on every other one of its micro-batch; in training a causal model "
             "sees the future through it. In evaluation running averages stand for the statistics.",
     .formula = "y = (x - mean_c) / sqrt(var_c + eps) * gain + bias,  over all tokens",
     .source = "Ioffe and Szegedy, 2015, arXiv 1502.03167",
     .conflicts = "A causal model: refused unless allow_leak = true says that this is meant."},
    {.name = "norm_bias",
     .on = "model.norm.bias=true",
     .line = "a bias after the norm's gain",
     .formula = "y = normed(x) * gain + bias",
     .source =
         "a switch of every norm; left out by PaLM (Chowdhery et al., 2022, arXiv 2204.02311, "
         "section 2)",
     .unknown = "What leaving it out does: PaLM has one sentence and no ablation."},
    {.name = "zero_centred_gain",
     .on = "model.norm.zero_centred=true",
     .line = "the gain is stored as its distance from 1",
     .what = "The function is the same; weight decay and the optimizer see a number that starts at "
             "0.",
     .formula = "y = normed(x) * (1 + g),  g = 0 at the start",
     .source = "Megatron-LM's apply_layernorm_1p",
     .conflicts = "gain = false: there is nothing to be stored."},
    {.name = "no_gain",
     .on = "model.norm.gain=false",
     .line = "norms without a trained gain",
     .formula = "y = normed(x)",
     .source = "OLMo, 2024, arXiv 2402.00838 (a LayerNorm without gain and bias)"},
    {.name = "eps_outside",
     .on = "model.norm.eps_inside=false",
     .line = "epsilon is added to the root, not under it",
     .what = "The two differ for rows near 0 only.",
     .formula = "y = x / (sqrt(mean(x^2)) + eps) * gain",
     .source = "the authors' code of RMSNorm (github.com/bzhangGo/rmsnorm)"},
    {.name = "embedding_norm",
     .on = "model.embedding_norm.kind=rms",
     .line = "a norm right behind the token table",
     .formula = "x_0 = norm(embedding)",
     .source = "BLOOM and others; see Takase et al., 2023, arXiv 2312.16903",
     .unknown = "Whether it pays: BLOOM's own ablation has it help stability and hurt zero-shot "
                "results, and the change from fp16 to bf16 was the main cure."},
    {.name = "final_norm",
     .on = "model.final_norm=on",
     .line = "a norm between the last block and the head; auto: as the placement has it",
     .what = "Leaving it out after pre-norm blocks is the classic mistake.",
     .formula = "logits = W norm(x_L)",
     .source = "Xiong et al., 2020, arXiv 2002.04745",
     .conflicts = "ResiDual, which is made of it, and placements that already end in a norm."},
};

}  // namespace

TechniqueFamily norm_techniques() {
  return {"norm", "Norms", "What brings rows of the residual stream to one size.", kNorms};
}

}  // namespace keel
