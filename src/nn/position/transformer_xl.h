// Relative positions of Transformer-XL (Dai et al., arXiv 1901.02860, section 3.3), without its
// memory of earlier segments: scores are ((q_i + u) k_j + (q_i + v) W_R R_{i-j}) / sqrt(head_dim).
// R are fixed waves in their concatenated layout; u, v and W_R are of each layer (its `untie_r`).
#pragma once

#include "nn/position/position.h"

namespace keel {

class TransformerXlPosition final : public Position {
 public:
  using Config = NoOptions;
  TransformerXlPosition(const Config&, const PositionArgs& args);
  std::unique_ptr<RelativeTerm> relative(const std::string& name,
                                         const LinearChoice& linear) const override;

 private:
  PositionArgs args_;
  Tensor waves_;  // [context, dim], in the dtype of products
};

}  // namespace keel
