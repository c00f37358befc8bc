#include "lab/techniques/technique.h"

namespace keel {
namespace {

constexpr Technique kHeads[] = {
    {.name = "causal_lm",
     .on = "task.kind=causal_lm",
     .line = "cross-entropy of the next token",
     .what = "What is added to it in training is no part of the losses that are reported.",
     .formula = "loss = log Z - z[target],  Z = sum exp(z)",
     .source = "Radford et al., 2018 (GPT), section 3.1"},
    {.name = "tied_head",
     .on = "model.tied=true",
     .line = "the output head is the token table",
     .what = "false: a matrix of its own. Tied, the table's scale is also that of the logits.",
     .formula = "z = E norm(x)",
     .source = "Press and Wolf, 2016, arXiv 1608.05859; Inan et al., 2016, arXiv 1611.01462"},
    {.name = "head_bias",
     .on = "model.head.bias=true",
     .line = "a bias of the output head, one value a token",
     .what =
         "It learns how frequent each token is, which without it takes a direction of the stream.",
     .formula = "z = E norm(x) + b",
     .source = "none: a plain switch"},
    {.name = "output_softcap",
     .on = "model.head.softcap=30",
     .line = "output logits are bent below a cap",
     .formula = "z = cap tanh(z / cap)",
     .source = "Gemma 2, 2024, arXiv 2408.00118"},
    {.name = "z_loss",
     .on = "task.z_loss=1e-4",
     .line = "holds the softmax's normaliser near 1",
     .formula = "loss = ce + z_loss (log Z)^2",
     .source = "PaLM (Chowdhery et al., 2022, arXiv 2204.02311)",
     .unknown =
         "Whether it is needed beside weight decay: Wortsman et al. (arXiv 2309.14322) found "
         "that either cures the divergence of output logits."},
    {.name = "label_smoothing",
     .on = "task.label_smoothing=0.1",
     .line = "a share of each target is spread over the vocabulary",
     .formula = "loss = (1 - e) ce(target) + e mean_v ce(v)",
     .source = "Szegedy et al., 2015, arXiv 1512.00567, section 7"},
    {.name = "dropout",
     .on = "model.dropout=0.1",
     .line = "a share of embeddings, attention weights and branches is dropped in training",
     .formula = "y = x mask / (1 - dropout)",
     .source = "Srivastava et al., 2014, where GPT-2 has it (Radford et al., 2019)"},
};

}  // namespace

TechniqueFamily head_techniques() {
  return {"head", "Head and loss", "From the last block to the number that is minimised.", kHeads};
}

}  // namespace keel
