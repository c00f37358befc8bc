#include "optim/optimizer.h"

#include <fmt/format.h>

#include "core/error.h"

namespace keel {
namespace {

void check_one(const Param& p, const char* what, const Tensor& t, DType dtype) {
  if (t.shape() == p.weight.shape() && t.dtype() == dtype && t.contiguous()) return;
  throw ShapeError(fmt::format("optimizer: {} of {} is {} {}, must be contiguous {} {}", what,
                               p.name, name_of(t.dtype()), t.shape().str(), name_of(dtype),
                               p.weight.shape().str()));
}

}  // namespace

void GroupConfig::fields(Fields& f) {
  f("rate", rate, "what the rate is multiplied by", at_least(0));
  f("decay", decay, "what the weight decay is multiplied by", at_least(0));
}

void GroupsConfig::fields(Fields& f) {
  f("embedding", embedding, "tables of tokens and positions (the head too where it is tied)");
  f("head", head, "the untied output head");
  f("matrix", matrix, "matrices of the blocks");
  f("vector", vector, "gains, biases and other vectors");
}

const GroupConfig& GroupsConfig::of(Group group) const {
  switch (group) {
    case Group::kEmbedding:
      return embedding;
    case Group::kHead:
      return head;
    case Group::kMatrix:
      return matrix;
    case Group::kVector:
      break;
  }
  return vector;
}

void QkClipConfig::fields(Fields& f) {
  f("tau", tau,
    "largest attention logit: after a step in which a head's was above it, its queries' and keys' "
    "weights are scaled down; 0: off (100 is usual)",
    at_least(0));
}

void OptimConfig::fields(Fields& f) {
  f.kind(kind, "what turns gradients into updates");
  f("groups", groups, "rates and decays by what a parameter is for");
  f("qk_clip", qk_clip, "a bound of attention logits");
}

void decay_field(Fields& f, std::string& decay) {
  f("decay", decay,
    "\"rate\": a step takes rate * weight_decay off a weight; \"independent\": schedule factor * "
    "weight_decay, whatever the peak rate (1e-4 is usual then)",
    one_of({"rate", "independent"}));
}

void update_clip_field(Fields& f, double& bound) {
  f("update_clip", bound,
    "largest root mean square of a tensor's update, before the rate; larger ones are scaled down "
    "to it; 0: no clipping",
    at_least(0));
}

void check_params(const Params& params) {
  for (const Param& p : params) {
    check_one(p, "weight", p.weight, DType::kF32);
    check_one(p, "gradient", p.grad, DType::kF32);
    if (p.copy) check_one(p, "working copy", p.copy, DType::kBf16);
    if (p.weight.device() != params[0].weight.device()) {
      throw ShapeError(
          fmt::format("optimizer: {} and {} are on two devices", params[0].name, p.name));
    }
  }
}

}  // namespace keel
