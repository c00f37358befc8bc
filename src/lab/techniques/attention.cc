#include "lab/techniques/technique.h"

namespace keel {
namespace {

constexpr Technique kAttention[] = {
    {.name = "softmax_attention",
     .on = "model.attention.kind=softmax",
     .more = "model.heads model.head_dim",
     .line = "causal softmax attention, tiled: the T x T matrix never exists",
     .formula = "o = softmax(q k^T / sqrt(head_dim) + mask) v",
     .source = "Vaswani et al., 2017, arXiv 1706.03762; Dao et al., 2022, arXiv 2205.14135"},
    {.name = "grouped_queries",
     .on = "model.kv_heads=2",
     .more = "model.heads",
     .line = "several query heads share a key-value head (GQA; one for all: MQA)",
     .what = "0: as many as heads, which is multi-head attention. 1: multi-query attention.",
     .formula = "query head h reads key-value head floor(h kv_heads / heads)",
     .source = "Ainslie et al., 2023, arXiv 2305.13245",
     .conflicts = "A number that does not divide heads."},
    {.name = "qk_norm_layer",
     .on = "model.attention.qk_norm.kind=layer",
     .line = "LayerNorm of queries and keys after their projection",
     .what = "Holds attention's logits: with a gain of 1 none is above sqrt(head_dim). Over each "
             "head or the whole width, one gain or one for each head, before RoPE or after it. A "
             "gain for each channel behind RoPE breaks its dependence on the distance alone.",
     .formula = "score = N(q) N(k) / sqrt(head_dim)",
     .source = "Henry et al., 2020, arXiv 2010.04245; Dehghani et al., 2023, arXiv 2302.05442",
     .conflicts = "QK-clip: the norm undoes what it does to the weights. Soft cap: arXiv "
                  "2410.16682 has perplexity 11.00 with both and 10.84 without the cap.",
     .unknown = "Which form is best: Wortsman et al. (arXiv 2309.14322) found per-head statistics "
                "better than the whole width, other reports disagree.",
     .wrong = "It is not new in arXiv 2410.16682; new there are QKV-norm, QK-norm with a cap and "
              "QK-FC-norm."},
    {.name = "qk_norm_rms",
     .on = "model.attention.qk_norm.kind=rms",
     .line = "RMSNorm of queries and keys after their projection",
     .formula = "score = N(q) N(k) / sqrt(head_dim)",
     .source = "Henry et al., 2020, arXiv 2010.04245; Dehghani et al., 2023, arXiv 2302.05442",
     .conflicts = "QK-clip, soft cap: as qk_norm_layer."},
    {.name = "qk_norm_prms",
     .on = "model.attention.qk_norm.kind=prms",
     .line = "RMSNorm of queries and keys by the first values of a head alone",
     .formula = "score = N(q) N(k) / sqrt(head_dim),  N(x) = x / rms(x[0 .. share d]) * gain",
     .source = "Henry et al., 2020, arXiv 2010.04245; Zhang and Sennrich, 2019, arXiv 1910.07467",
     .conflicts = "QK-clip, soft cap: as qk_norm_layer.",
     .unknown = "Whether it is of use: no paper norms queries and keys so."},
    {.name = "qk_norm_l2",
     .on = "model.attention.qk_norm.kind=l2",
     .line = "scores are cosines times a scale that each head learns",
     .formula = "score = scale exp(theta) (q / |q|) (k / |k|),  theta = 0 at the start",
     .source = "Henry et al., 2020, arXiv 2010.04245",
     .conflicts = "attention.scale and learned_scale: it has a scale of its own. QK-clip."},
    {.name = "qk_norm_dyt",
     .on = "model.attention.qk_norm.kind=dyt",
     .line = "a tanh of queries and keys with a trained slope, in a norm's place",
     .what = "It takes no statistics: the logits still grow with the weights, but with a gain of 1 "
             "and no bias none is above sqrt(head_dim). One slope for each of q and k, or, with "
             "gain = \"head\", for each head.",
     .formula = "score = N(q) N(k) / sqrt(head_dim),  N(x) = tanh(alpha x) * gain + bias",
     .source = "Zhu et al., 2025, arXiv 2503.10622",
     .conflicts = "QK-clip, soft cap: as qk_norm_layer. Of axis it has no statistics over either: "
                  "\"width\" says that the heads share one slope whatever their gains.",
     .unknown = "What it does to queries and keys: the paper puts it in the place of the block's "
                "norms. No gradient passes where the tanh is flat."},
    {.name = "v_norm",
     .on = "model.attention.v_norm=true model.attention.qk_norm.kind=layer",
     .line = "values are normed as well",
     .formula = "o = softmax(N(q) N(k)^T / sqrt(head_dim)) N(v)",
     .source = "Rybakov et al., 2024, arXiv 2410.16682",
     .conflicts = "No qk_norm: values take its form.",
     .unknown = "What norming values does by itself: the paper changes two things at once."},
    {.name = "no_attention_norm",
     .on = "model.attention_norm=false",
     .line = "the norm in front of attention is left out (for QKV-norm)",
     .formula = "x = x + A(x)\nx = x + F(N(x))",
     .source = "Rybakov et al., 2024, arXiv 2410.16682",
     .conflicts = "Placements that have no norm there to leave out."},
    {.name = "bias",
     .on = "model.bias=true",
     .line = "biases in all linears of the blocks",
     .formula = "y = x W^T + b",
     .source = "left out by PaLM (Chowdhery et al., 2022, arXiv 2204.02311, section 2)",
     .unknown = "Whether leaving it out helps: PaLM reports increased training stability for large "
                "models in one sentence, without an ablation."},
    {.name = "bias_q",
     .on = "model.biases.q=on",
     .line = "a bias of the queries",
     .formula = "q = x W_q^T + b",
     .source = "Qwen, 2023, arXiv 2309.16609 (biases of Q, K and V alone)"},
    {.name = "bias_k",
     .on = "model.biases.k=on",
     .line = "a bias of the keys",
     .what = "Without RoPE and QK-norm it changes nothing: softmax cancels what all keys share.",
     .formula = "k = x W_k^T + b",
     .source = "Qwen, 2023, arXiv 2309.16609 (biases of Q, K and V alone)"},
    {.name = "bias_v",
     .on = "model.biases.v=on",
     .line = "a bias of the values",
     .formula = "v = x W_v^T + b",
     .source = "Qwen, 2023, arXiv 2309.16609 (biases of Q, K and V alone)"},
    {.name = "bias_out",
     .on = "model.biases.out=on",
     .line = "a bias of attention's output",
     .formula = "y = o W_o^T + b",
     .source = "none: a plain switch"},
};

constexpr Technique kScores[] = {
    {.name = "score_scale",
     .on = "model.attention.scale=mup",
     .line = "what multiplies q k: 1 / sqrt(head_dim), 1 / head_dim or nothing",
     .what = "\"mup\" is the scale of muP, \"one\" leaves it out.",
     .formula = "score = q k / head_dim",
     .source = "Yang et al., 2022, arXiv 2203.03466",
     .conflicts = "QK-norm of kind l2, which has a scale of its own. Normed queries and keys with "
                  "\"one\": the softmax saturates.",
     .cost = kNoCost},
    {.name = "soft_temperature",
     .on = "model.attention.temperature=0.5",
     .line = "scores are multiplied once more",
     .formula = "p = softmax(temperature * q k / sqrt(head_dim))",
     .source = "Rybakov et al., 2024, arXiv 2410.16682",
     .unknown = "Whether the paper's beta multiplies or divides; here it multiplies.",
     .cost = kNoCost},
    {.name = "learned_scale",
     .on = "model.attention.learned_scale=head",
     .line = "a factor on the scores that each head or layer learns",
     .formula = "score = exp(theta) q k / sqrt(head_dim),  theta = 0 at the start",
     .source = "none: a plain switch (Henry et al., 2020, arXiv 2010.04245, learn one beside their "
               "QK-norm)",
     .conflicts = "QK-norm of kind l2, which learns one already."},
    {.name = "soft_cap",
     .on = "model.attention.softcap=50",
     .line = "scores are bent below a cap",
     .what = "Before the mask. Its gradient vanishes for scores far above the cap.",
     .formula = "s = cap tanh(s / cap)",
     .source = "Gemma 2, 2024, arXiv 2408.00118; Rybakov et al., 2024, arXiv 2410.16682",
     .conflicts =
         "QK-norm: arXiv 2410.16682 has perplexity 11.00 with both, 10.84 without the cap.",
     .unknown = "The best cap: none of the papers varies it. Alone it gained no perplexity in "
                "arXiv 2410.16682 (11.24 beside 11.19)."},
    {.name = "soft_clip",
     .on = "model.attention.clip_zeta=1.03 model.attention.clip_gamma=-0.03",
     .line = "attention weights are stretched and cut, so that 0 and 1 can be reached",
     .what = "Rows need not sum to 1 afterwards.",
     .formula = "p = clip((zeta - gamma) softmax(s) + gamma, 0, 1)",
     .source = "Qualcomm's outlier-free-transformers; Rybakov et al., 2024, arXiv 2410.16682"},
    {.name = "off_by_one",
     .on = "model.attention.sink=off_by_one",
     .line = "a 1 in the softmax's denominator: a head may look at nothing",
     .formula = "p_i = exp(s_i) / (1 + sum_j exp(s_j))",
     .source = "Megatron-LM's softmax_type = off-by-one"},
    {.name = "learned_sink",
     .on = "model.attention.sink=learned",
     .line = "a logit of each head in the softmax's denominator, learned",
     .formula = "p_i = exp(s_i) / (exp(sink_h) + sum_j exp(s_j))",
     .source = "Megatron-LM's softmax_type = learnable"},
    {.name = "gated_output",
     .on = "model.attention.gate=head",
     .line = "a sigmoid of the input multiplies what attention found, by head or element",
     .formula = "o = o * sigmoid(x W_g)",
     .source = "Qiu et al., 2025, arXiv 2505.06708",
     .unknown = "How its gate should start: near 1/2 it halves attention's output."},
    {.name = "entropy_regulariser",
     .on = "model.attention.entropy_weight=0.01 model.attention.entropy_floor=0.5",
     .line = "attention rows of too little entropy cost loss",
     .what = "The mean over rows and heads, summed over layers, is added to the training loss; the "
             "losses that are reported are without it.",
     .formula = "loss = ce + weight sum_layers mean_rows max(0, floor - H(p) / ln n)\n"
                "H(p) = -sum p log p, n: keys that the row sees; rows with one key add nothing",
     .source = "none: it is from no paper",
     .conflicts = "A sink and clipped weights: their rows do not sum to 1.",
     .unknown = "Whether it helps: it is from no paper.",
     .wrong = "It is said to be of arXiv 2410.16682, which has no such term."},
    {.name = "sliding_window",
     .on = "model.attention.window=64",
     .line = "a query sees the last keys alone, itself included",
     .formula = "query i sees key j if i - window < j <= i",
     .source = "Beltagy et al., 2020, arXiv 2004.05150, section 3.1; Jiang et al., 2023, arXiv "
               "2310.06825"},
};

}  // namespace

TechniqueFamily attention_techniques() {
  return {"attention", "Attention: projections",
          "Heads, biases, and norms of queries, keys and values.", kAttention};
}

TechniqueFamily score_techniques() {
  return {"score", "Attention: scores", "What happens between q k and the weights of the values.",
          kScores};
}

}  // namespace keel
