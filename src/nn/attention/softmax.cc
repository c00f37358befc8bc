#include "nn/attention/softmax.h"

#include <cmath>

#include "core/philox.h"
#include "nn/output_probe.h"
#include "ops/add.h"
#include "ops/attention.h"
#include "ops/copy.h"
#include "ops/dropout.h"
#include "ops/linear.h"
#include "ops/output_gate.h"
#include "ops/reshape.h"
#include "ops/soft_cap.h"

namespace keel {

void SoftmaxMixer::Config::fields(Fields& f) {
  f("qk_norm", qk_norm, "norm of queries and keys");
  f("v_norm", v_norm, "values are normed as well (QKV-norm), each head with keys' form of norm");
  f("scale", scale, "what multiplies q k: 1 / sqrt(head_dim), 1 / head_dim (muP) or nothing (T5)",
    one_of({"sqrt", "mup", "one"}));
  f("temperature", temperature, "multiplies the scores once more; 0.5 softens them", above(0));
  f("learned_scale", learned_scale, "exp(theta) multiplies the scores, learned by head or layer",
    one_of({"none", "head", "layer"}));
  f("softcap", softcap, "scores become c tanh(s / c); 0: no cap", at_least(0));
  f("clip_zeta", clip_zeta, "upper end to which weights are stretched before they are cut at 1",
    at_least(1));
  f("clip_gamma", clip_gamma, "lower end to which weights are stretched before they are cut at 0",
    between(-1, 0));
  f("sink", sink, "a logit of each head in the softmax's denominator: 0 or learned",
    one_of({"none", "off_by_one", "learned"}));
  f("gate", gate, "sigmoid(x W) multiplies what attention found, by head or by element",
    one_of({"none", "head", "element"}));
  f("entropy_weight", entropy_weight,
    "adds this times the mean over rows of max(0, entropy_floor - entropy / ln(visible keys)) for "
    "each layer to the training loss (not of arXiv 2410.16682); 0: none",
    at_least(0));
  f("entropy_floor", entropy_floor,
    "share of the largest entropy, ln(visible keys), that the weights of a row are to have at "
    "least",
    between(0, 1));
  f("start_qk", start_qk,
    "multiplies the first values of the query and key projections, each: scores at the start by "
    "its "
    "square, where they are not normed",
    above(0));
  f("start_out", start_out, "multiplies the first values of attention's output projection",
    above(0));
  f("window", window, "keys that a query sees, itself included; 0: all", between(0, 1e12));
}

void SoftmaxMixer::Config::validate(Errors& errors) const {
  if (v_norm && qk_norm.is_none()) {
    errors.add("v_norm",
               "values are normed as queries and keys are, which have no norm; choose a "
               "qk_norm.kind",
               {"qk_norm.kind"});
  }
  validate_entropy(errors);
  if (qk_norm.kind() != "l2") return;
  if (scale != "sqrt") {
    errors.add("scale",
               "qk_norm.kind = \"l2\" has a scale of its own (qk_norm.scale); leave this "
               "one at \"sqrt\"",
               {"qk_norm.kind"});
  }
  if (learned_scale != "none" && qk_norm.options_as<L2HeadNorm::Config>().learned) {
    errors.add("learned_scale",
               "qk_norm.kind = \"l2\" learns a scale already; set "
               "qk_norm.learned = false, or leave this one at \"none\"",
               {"qk_norm.kind", "qk_norm.learned"});
  }
}

void SoftmaxMixer::Config::validate_entropy(Errors& errors) const {
  if (entropy_weight == 0) return;
  if (entropy_floor == 0) {
    errors.add("entropy_floor", "no row is below 0; set it above, or leave entropy_weight at 0",
               {"entropy_weight"});
  }
  if (sink != "none") {
    errors.add("entropy_weight",
               "is of weights that sum to 1, which they do not beside a sink; set sink = \"none\"",
               {"sink"});
  }
  if (clip_zeta != 1 || clip_gamma != 0) {
    errors.add("entropy_weight",
               "is of weights that sum to 1, which clipped ones do not; set clip_zeta = 1 and "
               "clip_gamma = 0",
               {clip_zeta != 1 ? "clip_zeta" : "clip_gamma"});
  }
}

namespace {

// Of the forms for which split_qkv has a fused kernel.
bool is_fused(const HeadNorm* norm, const Position* position, int64_t head_dim) {
  if (position) {
    const RopeTables& rope = position->rope();
    if (position->turns_values() || rope.interleaved) return false;
    if (rope && 2 * rope.cos.dim(1) != head_dim) return false;
  }
  if (!norm) return true;
  const HeadForm q = norm->query();
  return (q.norm == HeadNormKind::kRms || q.norm == HeadNormKind::kLayer) && !q.width &&
         !q.norm_last && norm->value().norm == HeadNormKind::kNone;
}

bool shared_gains(const QkNormChoice& norm) {
  return dynamic_cast<const QkNormOptions&>(norm.options()).gain != "head";
}

double first_scale(const SoftmaxMixer::Config& c, const HeadNorm* norm, int64_t head_dim) {
  const double d = static_cast<double>(head_dim);
  if (norm && norm->scale() > 0) return norm->scale();
  return c.scale == "sqrt" ? 1.0 / std::sqrt(d) : c.scale == "mup" ? 1.0 / d : 1.0;
}

}  // namespace

SoftmaxMixer::SoftmaxMixer(const Config& config, const MixerArgs& args)
    : args_(args),
      softcap_(static_cast<float>(config.softcap)),
      clip_high_(static_cast<float>(config.clip_zeta)),
      clip_low_(static_cast<float>(config.clip_gamma)),
      entropy_weight_(static_cast<float>(config.entropy_weight / double(args.heads))),
      entropy_floor_(static_cast<float>(config.entropy_floor)),
      window_(config.window),
      weights_stream_(stream_of(args.name + ".weights_dropout")),
      out_stream_(stream_of(args.name + ".dropout")) {
  Parameters& p = args.parameters;
  const std::string& n = args.name;
  const int64_t q = args.heads * args.head_dim, kv = args.kv_heads * args.head_dim;
  qkv_ = linears().make(args.linear, {p,
                                      {{n + ".q", q, Role::kLinear, config.start_qk},
                                       {n + ".k", kv, Role::kLinear, config.start_qk},
                                       {n + ".v", kv, Role::kValue}},
                                      args.dim});
  qkv_bias_ = QkvBias(p, n, args.bias, q, kv);
  qk_norm_ = qk_norms().make(config.qk_norm,
                             {p, n, args.head_dim, args.heads, args.kv_heads, config.v_norm});
  scale_ =
      static_cast<float>(config.temperature * first_scale(config, qk_norm_.get(), args.head_dim));
  if (config.learned_scale != "none" || (qk_norm_ && qk_norm_->learns_scale())) {
    log_scale_ =
        p.add(n + ".log_scale", {config.learned_scale == "layer" ? 1 : args.heads}, Role::kBias);
  }
  if (config.sink == "learned") sink_ = p.add(n + ".sink", {args.heads}, Role::kBias);
  if (config.sink == "off_by_one") {
    no_sink_logits_ = persistent({args.heads}, DType::kF32, p.device(), "the sinks");
  }
  if (config.gate != "none") {
    const int64_t gates = config.gate == "head" ? args.heads : q;
    gate_ = linears().make(args.linear, {p, {{n + ".gate", gates, Role::kLinear}}, args.dim});
    if (args.bias.out) gate_bias_ = p.add(n + ".gate.bias", {gates}, Role::kBias);
  }
  if (args.position) relative_ = args.position->relative(n, args.linear);
  out_ = linears().make(args.linear,
                        {p, {{n + ".out", args.dim, Role::kResidualOutput, config.start_out}}, q});
  if (args.bias.out) out_bias_ = p.add(n + ".out.bias", {args.dim}, Role::kBias);
  fused_ = is_fused(qk_norm_.get(), args.position, args.head_dim) &&
           (!qk_norm_ || shared_gains(config.qk_norm));
}

MixerState SoftmaxMixer::make_state(int64_t rows, int64_t capacity) const {
  const Shape shape{rows, capacity, args_.kv_heads, args_.head_dim};
  const Parameters& p = args_.parameters;
  return {{{"k", persistent(shape, p.compute(), p.device(), "the key cache")},
           {"v", persistent(shape, p.compute(), p.device(), "the value cache")}}};
}

namespace {

// The kinds that split_qkv knows.
QkNorm fused_kind(HeadNormKind kind) {
  return kind == HeadNormKind::kRms ? QkNorm::kRms : QkNorm::kLayer;
}

// Appends k and v of this pass to the cache and reads everything that it holds.
void extend(Qkv& qkv, const MixerState& state, int64_t offset) {
  const int64_t end = offset + qkv.k.t.dim(1);
  const Tensor &k = state.tensors[0].tensor, &v = state.tensors[1].tensor;
  on_device(k, [&](auto& dev) {
    kernel::copy(dev, {qkv.k.t, {k.slice(1, offset, end)}});
    kernel::copy(dev, {qkv.v.t, {v.slice(1, offset, end)}});
  });
  qkv.k = Var(k.slice(1, 0, end));
  qkv.v = Var(v.slice(1, 0, end));
}

}  // namespace

Qkv SoftmaxMixer::project(const Var& x_btd, const Pass& pass) const {
  const Var packed = probed(linear(x_btd, qkv_->weight(pass), qkv_bias_.var()), pass, args_.layer,
                            &OutputProbe::qkv);
  const RopeTables rope = args_.position ? args_.position->rope() : RopeTables();
  const HeadForm q = qk_norm_ ? qk_norm_->query() : HeadForm();
  const HeadForm k = qk_norm_ ? qk_norm_->key() : HeadForm();
  if (fused_) {
    QkvOptions o{args_.heads, args_.kv_heads, args_.head_dim, QkNorm::kNone,
                 q.eps,       rope,           pass.offset,    pass.segments};
    if (qk_norm_) o.norm = fused_kind(q.norm);
    return split_qkv(packed, {q.gain, k.gain, q.bias, k.bias}, o);
  }
  SplitHeads o{args_.heads, args_.kv_heads, args_.head_dim, q, k, {},
               rope,        pass.offset,    pass.segments};
  if (qk_norm_) o.v = qk_norm_->value();
  if (qk_norm_) o.alphas = qk_norm_->alphas();
  o.q.turn = o.k.turn = static_cast<bool>(rope);
  o.v.turn = args_.position && args_.position->turns_values();
  return split_heads(packed, o);
}

AttentionArgs SoftmaxMixer::score_args() const {
  AttentionArgs a;
  a.scale = scale_;
  a.window = window_;
  a.clip_high = clip_high_;
  a.clip_low = clip_low_;
  if (softcap_ > 0) a.passes[0] = soft_cap(&softcap_);
  a.log_scale = log_scale_.var();
  a.sink = no_sink_logits_ ? Var(no_sink_logits_) : sink_.var();
  if (args_.position) a.distance_bias = args_.position->distance_bias();
  return a;
}

Var SoftmaxMixer::forward(const Var& x_btd, Pass& pass) const {
  Qkv qkv = project(x_btd, pass);
  if (pass.states) extend(qkv, (*pass.states)[static_cast<size_t>(args_.layer)], pass.offset);
  AttentionArgs a = score_args();
  if (relative_) {
    const RelativeTerm::Queries q = relative_->queries(qkv.q);
    qkv.q = q.content;
    a.distance_query = q.distance;
    a.distance_key = relative_->keys(pass.offset + x_btd.t.dim(1), pass);
  }
  a.query_offset = pass.offset;
  a.segment_start = pass.segments;
  if (pass.step) {
    a.dropout = args_.dropout;
    a.step = pass.step;
    a.stream = weights_stream_;
    a.entropy_weight = entropy_weight_;
    a.entropy_floor = entropy_floor_;
  }
  if (pass.probes && pass.probes->wanted) {
    a.probe = &pass.probes->attention[static_cast<size_t>(args_.layer)];
  }
  const auto [o, lse, penalty] = attention(qkv.q, qkv.k, qkv.v, a);
  if (penalty) pass.penalty = pass.penalty ? add(pass.penalty, penalty) : penalty;
  const Shape& s = x_btd.shape();
  const Var flat = gate_ ? output_gate(o, linear(x_btd, gate_->weight(pass), gate_bias_.var()))
                         : reshape(o, {s[0], s[1], args_.heads * args_.head_dim});
  const Var y = probed(linear(flat, out_->weight(pass), out_bias_.var()), pass, args_.layer,
                       &OutputProbe::proj);
  return pass.step ? dropout(y, {args_.dropout, out_stream_, pass.step}) : y;
}

}  // namespace keel
