#include "lab/techniques/technique.h"

namespace keel {
namespace {

constexpr Technique kPositions[] = {
    {.name = "rope",
     .on = "model.position.kind=rope",
     .line = "queries and keys are rotated by their position, values are not",
     .what = "The score depends on the distance alone. The two layouts differ by a permutation of "
             "a head's channels; weights trained in one do not fit the other.",
     .formula = "q_m k_n = g(q, k, m - n);  pair i turns by m base^(-2 i / head_dim)",
     .source = "Su et al., 2021, arXiv 2104.09864",
     .conflicts = "An odd head size.",
     .unknown = "How it does beyond the trained length: not well without scaling.",
     .wrong = "It does not rotate the values, and what q and k give is a number, not a vector."},
    {.name = "rope_rotated_values",
     .on = "model.position.kind=rope model.position.rotate_v=true",
     .line = "negative control: values are rotated too, as in no paper",
     .formula = "v_n = R_n v",
     .source = "none: a negative control",
     .wrong = "Popular texts describe this as RoPE."},
    {.name = "learned_positions",
     .on = "model.position.kind=learned",
     .more = "model.context",
     .line = "a trained table is added to the embedding",
     .what = "Positions beyond the table do not exist.",
     .formula = "x_0 = embedding + table[position]",
     .source = "Radford et al., 2019 (GPT-2)"},
    {.name = "sinusoidal",
     .on = "model.position.kind=sinusoidal",
     .line = "fixed waves are added to the embedding",
     .what = "Interleaved as in the paper, or concatenated as in tensor2tensor, whose frequencies "
             "differ slightly: checkpoints of the two do not mix.",
     .formula = "sin and cos of p / 10000^(2 i / dim)",
     .source = "Vaswani et al., 2017, arXiv 1706.03762, section 3.5"},
    {.name = "t5_bias",
     .on = "model.position.kind=t5",
     .line = "one learned number for each head and bucket of distances, added to the scores",
     .what = "All layers share it. All distances from max_distance on share a bucket.",
     .formula = "s_ij = s_ij + b[head, bucket(i - j)]",
     .source = "T5 (Raffel et al., 2019, arXiv 1910.10683), as in mesh-tensorflow",
     .wrong = "It is not expensive and adds no vector: the extra product is Transformer-XL's."},
    {.name = "alibi",
     .on = "model.position.kind=alibi",
     .line = "a bias that falls with the distance, its slope by head; nothing is learned",
     .formula = "s_ij = s_ij - m_h (i - j),  m_h = 2^(-8 h / heads)",
     .source = "Press et al., 2021, arXiv 2108.12409"},
    {.name = "transformer_xl",
     .on = "model.position.kind=transformer_xl",
     .line = "queries score distances as well as keys",
     .what = "Without the paper's memory of earlier segments; u, v and W_R are of each layer.",
     .formula = "s_ij = ((q_i + u) k_j + (q_i + v) W_R R_{i-j}) / sqrt(head_dim)",
     .source = "Dai et al., 2019, arXiv 1901.02860, section 3.3"},
    {.name = "no_positions",
     .on = "model.position.kind=none",
     .line = "positions are not told; the causal mask alone orders tokens",
     .source = "Haviv et al., 2022, arXiv 2203.16634; Kazemnejad et al., 2023, arXiv 2305.19466",
     .cost = kReference},
};

}  // namespace

TechniqueFamily position_techniques() {
  return {"position", "Positions", "How the model is told where a token stands.", kPositions};
}

}  // namespace keel
