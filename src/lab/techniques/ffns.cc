#include "lab/techniques/technique.h"

namespace keel {
namespace {

constexpr std::string_view kGlu = "Shazeer, 2020, arXiv 2002.05202";
constexpr std::string_view kGluKnown =
    "The order of GEGLU, SwiGLU and ReGLU: log-perplexities 1.633, 1.636 and 1.645 in the paper, "
    "too close for its runs to tell. It measures quality, not stability.";
constexpr std::string_view kGluWidth =
    "Equal parameters only with 2/3 of the width, which is the default here.";

constexpr Technique kFfns[] = {
    {.name = "swiglu",
     .on = "model.ffn.kind=swiglu",
     .line = "SiLU of one projection times another",
     .formula = "y = (silu(x G) * (x U)) D",
     .source = kGlu,
     .conflicts = "FP8 in long runs: the product amplifies outliers (arXiv 2409.12517).",
     .unknown = kGluKnown,
     .wrong = "No paper ranks it as the most stable or the best; GEGLU is lower in its own paper's "
              "table."},
    {.name = "geglu",
     .on = "model.ffn.kind=geglu",
     .line = "GELU (tanh form) of one projection times another",
     .formula = "y = (gelu(x G) * (x U)) D",
     .source = kGlu,
     .unknown = kGluKnown,
     .wrong = kGluWidth},
    {.name = "geglu_erf",
     .on = "model.ffn.kind=geglu_erf",
     .line = "GELU (exact form) of one projection times another",
     .formula = "y = (gelu(x G) * (x U)) D",
     .source = kGlu,
     .unknown = kGluKnown,
     .wrong = kGluWidth},
    {.name = "reglu",
     .on = "model.ffn.kind=reglu",
     .line = "ReLU of one projection times another",
     .formula = "y = (max(0, x G) * (x U)) D",
     .source = kGlu,
     .unknown = kGluKnown,
     .wrong = "Smoothness is not what makes gated forms good: this one is not smooth."},
    {.name = "glu",
     .on = "model.ffn.kind=glu",
     .line = "a sigmoid of one projection times another",
     .formula = "y = (sigmoid(x G) * (x U)) D",
     .source = kGlu,
     .wrong = kGluWidth},
    {.name = "bilinear",
     .on = "model.ffn.kind=bilinear",
     .line = "the product of two projections",
     .formula = "y = ((x G) * (x U)) D",
     .source = kGlu,
     .wrong = kGluWidth},
    {.name = "gated_elu",
     .on = "model.ffn.kind=gated_elu",
     .line = "ELU of one projection times another",
     .what = "Not in the table of arXiv 2002.05202.",
     .formula = "y = (elu(x G) * (x U)) D",
     .source = "none: the form of Shazeer, 2020, arXiv 2002.05202, with another activation",
     .wrong = kGluWidth},
    {.name = "gelu",
     .on = "model.ffn.kind=gelu",
     .line = "GELU in its tanh form, as GPT-2 has it",
     .what = "Differs from the exact form by about 1e-3.",
     .formula = "f = x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))",
     .source = "Hendrycks and Gimpel, 2016, arXiv 1606.08415",
     .wrong = "It is not better than ReLU in arXiv 2002.05202: 1.679 beside 1.677 at full length.",
     .cost = kReference},
    {.name = "gelu_erf",
     .on = "model.ffn.kind=gelu_erf",
     .line = "GELU in its exact form",
     .formula = "f = x Phi(x)",
     .source = "Hendrycks and Gimpel, 2016, arXiv 1606.08415"},
    {.name = "relu",
     .on = "model.ffn.kind=relu",
     .line = "the positive part",
     .formula = "f = max(0, x)",
     .source = "Vaswani et al., 2017, arXiv 1706.03762, section 3.3",
     .wrong = "It is continuous; its derivative is not."},
    {.name = "relu2",
     .on = "model.ffn.kind=relu2",
     .line = "the square of the positive part",
     .formula = "f = max(0, x)^2",
     .source = "So et al., 2021, arXiv 2109.08668"},
    {.name = "silu",
     .on = "model.ffn.kind=silu",
     .line = "Swish with beta 1",
     .formula = "f = x sigmoid(x)",
     .source = "Ramachandran et al., 2017, arXiv 1710.05941",
     .wrong = "It is not better than ReLU in arXiv 2002.05202: 1.683 beside 1.677 at full length."},
    {.name = "elu",
     .on = "model.ffn.kind=elu",
     .line = "x, or e^x - 1 below 0",
     .formula = "f = x above 0, e^x - 1 below",
     .source = "Clevert et al., 2015, arXiv 1511.07289"},
    {.name = "bias_ffn",
     .on = "model.biases.ffn=on",
     .line = "biases of both feed-forward projections",
     .formula = "y = f(x W_in + b) W_out + c",
     .source = "none: a plain switch"},
};

constexpr Technique kLinears[] = {
    {.name = "plain_linear",
     .on = "model.linear.kind=plain",
     .line = "the weights of the blocks' linears as they are",
     .formula = "y = x W^T",
     .source = "none: what the others are compared with"},
    {.name = "sigma_reparam",
     .on = "model.linear.kind=sigma_reparam",
     .line = "each weight over its largest singular value, times a trained number",
     .what = "One power iteration in each training step; its vector is saved with the run. gamma "
             "is not bounded, so attention's logits are not either. The estimate lags: on a toy "
             "(dim 32, 2 layers, 200 steps, 4 of warm-up) the true value was up to 37 % above it "
             "at the rate 3e-3 and 5 % at the end, up to 91 % and 1 % at 3e-2.",
     .formula = "W^ = gamma / sigma(W) W",
     .source = "Zhai et al., 2023, arXiv 2303.06296",
     .unknown = "Whether LayerNorms stay beside it: the authors' vision code removes them, and "
                "arXiv 2410.16682 does not say.",
     .wrong = "arXiv 2410.16682 has no attention-entropy regulariser; it tests this "
              "reparametrisation, which is meant to prevent entropy collapse. The norm is the "
              "largest singular value, not Frobenius'."},
    {.name = "weight_norm",
     .on = "model.linear.kind=weight_norm",
     .line = "each row of a weight is a direction and a length",
     .formula = "W^_r = g_r v_r / |v_r|,  g_r = |v_r| at the start",
     .source = "Salimans and Kingma, 2016, arXiv 1602.07868"},
};

}  // namespace

TechniqueFamily ffn_techniques() {
  return {"ffn", "Feed-forward",
          "What the second branch of a block computes. Gated forms take 2/3 of the width, so that "
          "all have about equal parameters.",
          kFfns};
}

TechniqueFamily linear_techniques() {
  return {"linear", "Weights of linears", "How the weights inside the blocks are described.",
          kLinears};
}

}  // namespace keel
