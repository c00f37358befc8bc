#include "lab/techniques/technique.h"

namespace keel {
namespace {

constexpr std::string_view kPaper = "Rybakov et al., 2024, arXiv 2410.16682, section 3";
constexpr std::string_view kGrid =
    "How far it is ahead: one seed, rates 6e-3, 8e-3, 20e-3, 40e-3, 60e-3, 80e-3, no stated rule "
    "for \"diverged\".";

constexpr Technique kMethods[] = {
    {.name = "method_baseline",
     .on = "method=baseline",
     .line = "the pre-norm transformer that the others are compared with",
     .what = "830M parameters there; it diverged at 8e-3.",
     .formula = "x = x + A(N(x))\nx = x + F(N(x))",
     .source = kPaper,
     .unknown = "Its activation, positions, epsilon and the optimizer's values.",
     .wrong = "The model has 830M parameters, not less than 100M, and the paper claims neither "
              "shorter training nor better benchmarks.",
     .cost = kReference},
    {.name = "method_soft_temp",
     .on = "method=soft_temp",
     .line = "attention logits times 0.5",
     .what = "It diverged at 20e-3.",
     .formula = "softmax(0.5 q k / sqrt(head_dim))",
     .source = kPaper,
     .unknown = kGrid},
    {.name = "method_soft_cap",
     .on = "method=soft_cap",
     .line = "attention logits capped by 50 tanh(x / 50)",
     .what = "It diverged at 60e-3.",
     .formula = "softmax(50 tanh(s / 50))",
     .source = kPaper,
     .unknown = kGrid},
    {.name = "method_soft_clip",
     .on = "method=soft_clip",
     .line = "attention weights stretched and cut to [0, 1]",
     .what = "It diverged at 20e-3.",
     .formula = "clip(1.06 softmax(s) - 0.03, 0, 1)",
     .source = kPaper,
     .unknown = kGrid},
    {.name = "method_layer_scale",
     .on = "method=layer_scale",
     .line = "each branch times a trained vector",
     .what = "It diverged at 40e-3.",
     .formula = "x = x + lambda * f(N(x))",
     .source = kPaper,
     .unknown = "Where lambda started."},
    {.name = "method_sigma_reparam",
     .on = "method=sigma_reparam",
     .line = "each linear of the blocks over its largest singular value",
     .what = "It diverged at 40e-3.",
     .formula = "W^ = gamma / sigma(W) W",
     .source = kPaper,
     .unknown = "How gamma started, which linears have it, and whether LayerNorms stayed."},
    {.name = "method_qk_norm",
     .on = "method=qk_norm",
     .line = "LayerNorm of queries and keys",
     .what = "It diverged at 60e-3.",
     .formula = "score = N(q) N(k) / sqrt(head_dim)",
     .source = kPaper,
     .unknown = "Over each head or the width, and with or without gain.",
     .wrong = "QK-norm is older than this paper (arXiv 2010.04245)."},
    {.name = "method_qk_norm_cap",
     .on = "method=qk_norm_cap",
     .line = "LayerNorm of queries and keys, and the cap",
     .formula = "softmax(50 tanh(N(q) N(k) / sqrt(head_dim) / 50))",
     .source = kPaper,
     .unknown = "Whether it was run at 80e-3: accounts differ.",
     .wrong =
         "\"1.5 times the rate\" is one step of a coarse grid, 40e-3 to 60e-3, with one seed."},
    {.name = "method_qkv_norm",
     .on = "method=qkv_norm",
     .line = "LayerNorm of queries, keys and values in place of the one before them",
     .what = "It diverged at 80e-3.",
     .formula = "x = x + A_qkv(x)\nx = x + F(N(x))",
     .source = kPaper,
     .unknown = "Which of its two changes counts: the norm of values, or the one left out.",
     .wrong =
         "\"1.5 times the rate\" is one step of a coarse grid, 40e-3 to 60e-3, with one seed."},
    {.name = "method_qk_fc_norm",
     .on = "method=qk_fc_norm",
     .line = "LayerNorm of queries, keys and the outputs of both branches",
     .what = "It diverged at 60e-3, as qk_norm alone did.",
     .formula = "x = x + N(A_qk(N(x)))\nx = x + N(F(N(x)))",
     .source = kPaper,
     .unknown = kGrid},
};

}  // namespace

TechniqueFamily method_techniques() {
  return {"method", "Methods of arXiv 2410.16682",
          "Presets: each sets every switch that any of the ten touches. The paper's divergence "
          "study has one seed and a coarse grid of rates.",
          kMethods};
}

}  // namespace keel
