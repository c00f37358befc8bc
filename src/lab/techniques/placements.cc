#include "lab/techniques/technique.h"

namespace keel {
namespace {

constexpr Technique kPlacements[] = {
    {.name = "pre_norm",
     .on = "model.placement.kind=pre",
     .line = "a norm in front of each branch, one after the last block",
     .what = "The stream itself is never normed, so its size grows with depth.",
     .formula = "x = x + A(N(x))\nx = x + F(N(x))",
     .source = "Xiong et al., 2020, arXiv 2002.04745",
     .unknown = "Whether it can do without warm-up: Xiong et al. say yes, ResiDual's table has it "
                "lose about 3 BLEU; their settings differ.",
     .wrong =
         "The paper does not say that it prevents vanishing gradients. It says that at the "
         "start the last layers' gradients are large in post-norm and shrink with depth here."},
    {.name = "post_norm",
     .on = "model.placement.kind=post",
     .line = "a norm of the stream after each sum",
     .formula = "x = N(x + A(x))\nx = N(x + F(x))",
     .source = "Vaswani et al., 2017, arXiv 1706.03762; Xiong et al., 2020, arXiv 2002.04745",
     .conflicts = "No warm-up: fails (BLEU 8.45 beside about 34 in Xiong et al.).",
     .unknown = "A model of few layers may train without warm-up all the same.",
     .wrong = "Its gradients that vanish towards early layers are the argument of ResiDual and "
              "DeepNet, not of Xiong et al."},
    {.name = "sandwich",
     .on = "model.placement.kind=sandwich",
     .line = "norms in front of each branch and behind it (Peri-LN)",
     .what = "Each norm has a gain of its own; the outer ones add rows of one size to the stream.",
     .formula = "x = x + N(A(N(x)))\nx = x + N(F(N(x)))",
     .source = "Kim et al., 2025, arXiv 2502.02732",
     .unknown = "How its gains should start: smaller ones behind the branches may help depth."},
    {.name = "reordered",
     .on = "model.placement.kind=reordered",
     .line = "a norm behind each branch, none in front",
     .what = "Not post-norm: the stream itself is never normed, and the embedding's scale reaches "
             "attention as it is. OLMo 2 has it together with QK-norm.",
     .formula = "x = x + N(A(x))\nx = x + N(F(x))",
     .source = "OLMo 2, 2025, arXiv 2501.00656; Liu et al., 2021, arXiv 2111.09883",
     .unknown = "What it does without QK-norm: OLMo 2 reports the two together."},
    {.name = "residual_dual",
     .on = "model.placement.kind=residual_dual",
     .line = "a post-normed stream and a plain sum of the same branches (ResiDual)",
     .what = "The branches read the post-normed stream x; d collects what they say.",
     .formula = "x = N(x + f(x))\nd = d + s f(x),  d_0 = s embedding\noutput = x + N(d)",
     .source = "Xie et al., 2023, arXiv 2304.14802 (a preprint)",
     .conflicts = "Half precision at scale 1: d may overflow; final_norm = off.",
     .unknown = "Its gains rest on single runs."},
    {.name = "deepnorm",
     .on = "model.placement.kind=deepnorm",
     .line = "post-norm with the stream weighed by alpha and branches started smaller by beta",
     .what = "The constants are those of a model with a decoder only; beta is on values, attention "
             "output and feed-forward.",
     .formula = "x = N(alpha x + f(x))\nalpha = (2 layers)^(1/4),  beta = (8 layers)^(-1/4)",
     .source = "Wang et al., 2022, arXiv 2203.00555",
     .conflicts = "Initialisations that shrink outputs with depth: switched off beside it.",
     .unknown = "Whether it holds in decoders: the LayerNorm-scaling paper saw it collapse at 350M "
                "and 1B parameters."},
    {.name = "layernorm_scaling",
     .on = "model.placement.kind=scaled",
     .line = "pre-norm with the norms of layer l divided by sqrt(l)",
     .formula = "x = x + A(N(x) / sqrt(l))\nx = x + F(N(x) / sqrt(l)),  l from 1",
     .source = "Sun et al., 2025, arXiv 2502.05795",
     .conflicts = "Initialisations that shrink outputs by sqrt(2 layers): switched off beside it."},
    {.name = "parallel",
     .on = "model.placement.kind=parallel",
     .line = "attention and feed-forward read the same normed stream",
     .formula = "x = x + A(N(x)) + F(N(x))",
     .source = "GPT-J, 2021; PaLM (Chowdhery et al., 2022, arXiv 2204.02311, section 2)",
     .conflicts = "attention_norm = false, unless two_norms = true."},
    {.name = "unnormed",
     .on = "model.placement.kind=unnormed",
     .line = "no norm at all: the block of ReZero",
     .what = "Meant for a trained factor on the branch: model.residual.kind = \"rezero\".",
     .formula = "x = x + A(x)\nx = x + F(x)",
     .source = "Bachlechner et al., 2020, arXiv 2003.04887"},
};

constexpr Technique kResiduals[] = {
    {.name = "layer_scale",
     .on = "model.residual.kind=layer_scale",
     .line = "each branch times a trained vector, one value for each channel",
     .formula = "x = x + lambda * f(x)",
     .source = "Touvron et al., 2021, arXiv 2103.17239",
     .conflicts = "init = 0 beside an output that starts at 0: nothing would get a gradient.",
     .unknown = "How arXiv 2410.16682 started it."},
    {.name = "rezero",
     .on = "model.residual.kind=rezero model.placement.kind=unnormed",
     .line = "each branch times one trained number that starts at 0, no norms",
     .formula = "x = x + alpha f(x),  alpha = 0 at the start",
     .source = "Bachlechner et al., 2020, arXiv 2003.04887",
     .conflicts = "An output that starts at 0: nothing would get a gradient."},
    {.name = "skip_init",
     .on = "model.residual.kind=rezero model.placement.kind=pre",
     .line = "each branch times one trained number that starts at 0, norms kept",
     .formula = "x = x + alpha f(N(x)),  alpha = init at the start",
     .source = "De and Smith, 2020, arXiv 2002.10444",
     .conflicts = "An output that starts at 0: nothing would get a gradient."},
};

}  // namespace

TechniqueFamily placement_techniques() {
  return {"placement", "Norm placement", "Where norms sit and how branches join the stream.",
          kPlacements};
}

TechniqueFamily residual_techniques() {
  return {"residual", "Residual factors", "What multiplies a branch before it is added.",
          kResiduals};
}

}  // namespace keel
