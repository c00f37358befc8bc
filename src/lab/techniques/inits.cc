#include "lab/techniques/technique.h"

namespace keel {
namespace {

constexpr Technique kInits[] = {
    {.name = "gpt2_init",
     .on = "model.init.kind=gpt2",
     .line = "one deviation for all; outputs to the stream smaller by sqrt(2 layers)",
     .formula = "std = deviation;  W_o, W_out: deviation / sqrt(2 layers)",
     .source = "Radford et al., 2019 (GPT-2), section 2.3",
     .conflicts = "LayerNorm scaling, DeepNorm: they weigh branches by depth, and the division is "
                  "left out.",
     .unknown = "Whether the division helps: OLMo 2 went to one deviation for all and had fewer "
                "spikes."},
    {.name = "standard_init",
     .on = "model.init.kind=standard",
     .line = "one deviation for every matrix",
     .formula = "std = deviation",
     .source = "OLMo 2, 2025, arXiv 2501.00656",
     .cost = kNoCost},
    {.name = "small_init",
     .on = "model.init.kind=small",
     .line = "a deviation by the width alone; outputs smaller with depth",
     .formula = "std = sqrt(2 / (5 dim));  W_o, W_out: over sqrt(2 layers)",
     .source = "Nguyen and Salazar, 2019, arXiv 1910.05895; Takase et al., 2023, arXiv 2312.16903",
     .cost = kNoCost},
    {.name = "xavier_init",
     .on = "model.init.kind=xavier",
     .line = "by fan-in and fan-out",
     .formula = "uniform in +-sqrt(6 / (fan_in + fan_out))",
     .source = "Glorot and Bengio, 2010",
     .cost = kNoCost},
    {.name = "mup",
     .on = "model.init.kind=mup optim.decay=independent",
     .more = "model.attention.scale",
     .line = "first values, rates and logits go with the width (maximal update)",
     .what = "So that a rate found at a small width holds at a large one. Depth is not covered. "
             "Attention's 1 / head_dim is model.attention.scale = \"mup\".",
     .formula = "m = dim / base_dim: hidden variance / m, hidden rate / m, logits / m",
     .source = "Yang et al., 2022, arXiv 2203.03466, table 8",
     .conflicts = "Weight decay tied to the rate together with trained norm gains breaks the "
                  "transfer: optim.decay = \"independent\". zero_head with a tied head.",
     .unknown = "Whether it makes training less sensitive to the rate: Wortsman et al. (arXiv "
                "2309.14322) found it does not.",
     .cost = kNoCost},
    {.name = "scaled_attention_start",
     .on = "model.attention.start_qk=2 model.attention.start_out=0.5",
     .line = "attention's weights start larger or smaller than the others",
     .what = "A control: whether it is the size of scores or of a branch at the start that makes a "
             "method stable.",
     .formula = "W_q, W_k times start_qk;  W_o times start_out",
     .source = "none: a control for what is said of the others",
     .unknown = "It is from no paper.",
     .cost = kNoCost},
};

}  // namespace

TechniqueFamily init_techniques() {
  return {"init", "Initialisation and parametrisation", "How weights start.", kInits};
}

}  // namespace keel
