#include "nn/placement/post.h"

#include <cmath>

#include "ops/cast.h"

namespace keel {
namespace {

constexpr FinalNorm kNormedAlready{false,
                                   "the last block ends in a norm, and a second one behind it "
                                   "would norm the same values again"};

}  // namespace

FinalNorm PostPlacement::Config::final_norm() const { return kNormedAlready; }
FinalNorm DeepNormPlacement::Config::final_norm() const { return kNormedAlready; }

double DeepNormPlacement::Config::branch_init(int64_t layers) const {
  return std::pow(8 * static_cast<double>(layers), -0.25);
}

PostPlacement::PostPlacement(const PlacementArgs& a, double alpha)
    : attention_(make_branch_parts(a, "attention")),
      ffn_(make_branch_parts(a, "ffn")),
      compute_(a.parameters.compute()),
      alpha_(static_cast<float>(alpha)) {}

DeepNormPlacement::DeepNormPlacement(const Config&, const PlacementArgs& a)
    : PostPlacement(a, std::pow(2 * static_cast<double>(a.layers), 0.25)) {}

Var PostPlacement::joined(const Var& x_btd, const BranchParts& parts, const Var& branch_btd) const {
  const Var b = parts.scaled(branch_btd);
  if (alpha_ == 1.0f) return parts.norm->add_forward(x_btd, b, DType::kF32).y;
  return parts.norm->scaled_add_forward(x_btd, alpha_, b, DType::kF32).y;
}

void PostPlacement::block(Stream& s, const Sublayer& attention, const Sublayer& ffn,
                          Pass& pass) const {
  s.x_btd = joined(s.x_btd, attention_, attention.forward(cast(s.x_btd, compute_), pass));
  s.x_btd = joined(s.x_btd, ffn_, ffn.forward(cast(s.x_btd, compute_), pass));
}

}  // namespace keel
