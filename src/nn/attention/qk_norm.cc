#include "nn/attention/qk_norm.h"

namespace keel {

void QkNormOptions::shape_fields(Fields& f) {
  f("axis", axis, "statistics over each head, or over the width of all heads",
    one_of({"head", "width"}));
  f("gain", gain, "one gain shared by the heads, one for each head, or none",
    one_of({"shared", "head", "none"}));
  f("after_rope", after_rope, "the norm follows the rotation, else it is in front of it");
}

void RmsHeadNorm::Config::fields(Fields& f) {
  f("eps", eps, "added to the mean square", at_least(0));
  shape_fields(f);
}

void PartialRmsHeadNorm::Config::fields(Fields& f) {
  f("eps", eps, "added to the mean square", at_least(0));
  f("share", share, "of the values, the first ones, that the mean square is taken of",
    above(0).at_most(1));
  shape_fields(f);
}

void LayerHeadNorm::Config::fields(Fields& f) {
  f("eps", eps, "added to the variance", at_least(0));
  f("bias", bias, "whether a bias is added after the gain");
  shape_fields(f);
}

void L2HeadNorm::Config::fields(Fields& f) {
  f("eps", eps, "least length that is divided by", above(0));
  f("scale", scale, "what multiplies the cosines, in place of 1 / sqrt(head_dim)", above(0));
  f("learned", learned, "each head learns its scale, from the one above");
  shape_fields(f);
}

void TanhHeadNorm::Config::fields(Fields& f) {
  f("alpha", alpha, "where alpha starts", above(0));
  f("bias", bias, "whether a bias is added after the gain");
  shape_fields(f);
}

HeadNorm::HeadNorm(HeadNormKind kind, double eps, const QkNormOptions& options, bool bias,
                   const QkNormArgs& args, double share)
    : values_(args.values) {
  form_.norm = kind;
  form_.eps = static_cast<float>(eps);
  form_.share = static_cast<float>(share);
  form_.width = options.axis == "width";
  form_.norm_last = options.after_rope;
  const auto vector = [&](const char* which, int64_t heads, Role role) {
    const int64_t n = options.gain == "head" ? heads : 1;
    return args.parameters.add(args.name + which, {n * args.head_dim}, role);
  };
  const bool gains = options.gain != "none";
  if (gains) q_.gain = vector(".q_norm.gain", args.heads, Role::kGain);
  if (gains) k_.gain = vector(".k_norm.gain", args.kv_heads, Role::kGain);
  if (bias) q_.bias = vector(".q_norm.bias", args.heads, Role::kBias);
  if (bias) k_.bias = vector(".k_norm.bias", args.kv_heads, Role::kBias);
  if (!values_) return;
  if (gains) v_.gain = vector(".v_norm.gain", args.kv_heads, Role::kGain);
  if (bias) v_.bias = vector(".v_norm.bias", args.kv_heads, Role::kBias);
}

void HeadNorm::add_alphas(const QkNormOptions& options, const QkNormArgs& args, double start) {
  const bool own = options.gain == "head" && options.axis == "head";
  std::vector<Parameters::Part> parts;
  const auto add = [&](const char* which, int64_t heads) {
    parts.push_back({args.name + which, {own ? heads : 1}, Role::kGain, start});
  };
  add(".q_norm.alpha", args.heads);
  add(".k_norm.alpha", args.kv_heads);
  if (values_) add(".v_norm.alpha", args.kv_heads);
  alphas_ = args.parameters.add_stack(parts);
}

HeadForm HeadNorm::form(const Trained& t) const {
  HeadForm f = form_;
  f.gain = t.gain.var();
  f.bias = t.bias.var();
  return f;
}

HeadForm HeadNorm::value() const {
  if (!values_) return {};
  HeadForm f = form(v_);
  f.norm_last = false;
  return f;
}

// THE list of norms of queries and keys; "none" is allowed beside it.
const Registry<HeadNorm, const QkNormArgs&>& qk_norms() {
  using R = Registry<HeadNorm, const QkNormArgs&>;
  static const R r{
      "QK-norm",
      {R::entry<RmsHeadNorm>("rms", "RMSNorm"), R::entry<LayerHeadNorm>("layer", "LayerNorm"),
       R::entry<PartialRmsHeadNorm>("prms", "RMSNorm by the first values alone"),
       R::entry<L2HeadNorm>("l2", "unit length and a learned scale"),
       R::entry<TanhHeadNorm>("dyt", "tanh(alpha x), no statistics (arXiv 2503.10622)")}};
  return r;
}

}  // namespace keel
