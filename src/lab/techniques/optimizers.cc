#include "lab/techniques/technique.h"

namespace keel {
namespace {

constexpr Technique kOptimizers[] = {
    {.name = "adamw",
     .on = "optim.kind=adamw",
     .line = "Adam with decoupled weight decay",
     .formula = "m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2\n"
                "w = w - rate m^ / (sqrt(v^) + eps) - decay w",
     .source = "Loshchilov and Hutter, 2017, arXiv 1711.05101"},
    {.name = "independent_decay",
     .on = "optim.kind=adamw optim.decay=independent",
     .more = "optim.weight_decay",
     .line = "weight decay that follows the schedule, whatever the peak rate",
     .formula = "w = w - factor weight_decay w,  factor: the schedule's, in [0, 1]",
     .source = "Wortsman et al., 2023, arXiv 2309.14322",
     .cost = kNoCost},
    {.name = "stable_adamw",
     .on = "optim.kind=stable_adamw",
     .line = "AdamW whose rate falls in a tensor whose gradient is above its second moment",
     .formula = "rate / max(1, RMS),  RMS = sqrt(mean(g^2 / max(v^, eps^2)))",
     .source = "Wortsman et al., 2023, arXiv 2304.13013, algorithm 2",
     .conflicts = "Gradient clipping is redundant: it takes its place. It works tensor by tensor, "
                  "so it matters which parameters are fused."},
    {.name = "adafactor",
     .on = "optim.kind=adafactor",
     .line = "second moments of rows and columns alone",
     .formula = "v^ = R C^T / mean(R);  u = g / sqrt(v^);  u = u / max(1, RMS(u) / d)",
     .source = "Shazeer and Stern, 2018, arXiv 1804.04235, algorithms 4 and 5",
     .unknown = "How it does at scale: Gopher's authors found it worse than Adam."},
    {.name = "sgd",
     .on = "optim.kind=sgd",
     .line = "gradient descent with momentum",
     .formula = "b = momentum b + g;  w = w - rate b",
     .source = "Sutskever et al., 2013, without dampening"},
    {.name = "lion",
     .on = "optim.kind=lion",
     .line = "every weight moves by the rate, in the direction of the momentum's sign",
     .what = "Rates 3 to 10 times below AdamW's and decays as much above are what its authors "
             "recommend.",
     .formula = "u = sign(b1 m + (1 - b1) g);  w = w - rate (u + decay w)\n"
                "m = b2 m + (1 - b2) g",
     .source = "Chen et al., 2023, arXiv 2302.06675, algorithm 2",
     .conflicts = "Small batches."},
    {.name = "muon",
     .on = "optim.kind=muon",
     .line = "hidden matrices by their orthogonalised momentum, the rest by AdamW",
     .what = "Queries, keys and values are matrices of their own. Singular values of an update end "
             "near 1, not at it.",
     .formula = "u = NewtonSchulz(momentum);  w = w - rate s u\n"
                "s = sqrt(max(1, rows / columns))",
     .source = "Jordan et al., 2024; Liu et al., 2025, arXiv 2502.16982",
     .conflicts = "Embeddings and head: left to AdamW. Without weight decay weights and attention "
                  "logits grow: QK-clip."},
    {.name = "update_clip",
     .on = "optim.kind=adamw optim.update_clip=1",
     .line = "a tensor's update is scaled down to a root mean square",
     .formula = "u = u / max(1, RMS(u) / bound)",
     .source = "Shazeer and Stern, 2018, arXiv 1804.04235"},
    {.name = "qk_clip",
     .on = "optim.qk_clip.tau=100",
     .line = "after a step, queries' and keys' weights of heads with too large a logit shrink",
     .what = "Works with any optimizer; does nothing within the step itself.",
     .formula = "s_max > tau:  W_q, W_k times sqrt(tau / s_max), head by head",
     .source = "Kimi K2's report (Moonshot AI, 2025)",
     .conflicts = "QK-norm, sigma-reparam and weight normalisation, which undo what it does to the "
                  "weights; Transformer-XL, whose scores have terms of neither projection."},
    {.name = "group_rates",
     .on = "optim.groups.embedding.rate=0.5",
     .more = "optim.groups.head.rate optim.groups.matrix.rate optim.groups.vector.rate",
     .line = "rates by what a parameter is for",
     .formula = "rate of a parameter = rate times that of its group",
     .source = "none: a plain switch",
     .cost = kNoCost},
    {.name = "group_decays",
     .on = "optim.groups.embedding.decay=0",
     .more = "optim.groups.head.decay optim.groups.matrix.decay optim.groups.vector.decay",
     .line = "weight decay by what a parameter is for",
     .what = "Gains, biases and other vectors have none by default.",
     .formula = "decay of a parameter = weight_decay times that of its group",
     .source = "OLMo 2, 2025, arXiv 2501.00656 (none on embeddings)",
     .cost = kNoCost},
    {.name = "weight_average",
     .on = "train.ema=0.999",
     .line = "an exponential moving average of the weights, evaluated beside them",
     .formula = "average = ema average + (1 - ema) w",
     .source = "Polyak and Juditsky, 1992, here with exponential weights"},
};

}  // namespace

TechniqueFamily optimizer_techniques() {
  return {"optimizer", "Optimizers", "What turns gradients into new weights.", kOptimizers};
}

}  // namespace keel
