#include "nn/attention/softmax.h"

#include <cmath>

#include "core/philox.h"
#include "ops/attention.h"
#include "ops/copy.h"
#include "ops/dropout.h"
#include "ops/linear.h"
#include "ops/reshape.h"

namespace keel {

SoftmaxMixer::SoftmaxMixer(const Config& config, const MixerArgs& args)
    : args_(args),
      weights_stream_(stream_of(args.name + ".weights_dropout")),
      out_stream_(stream_of(args.name + ".dropout")) {
  Parameters& p = args.parameters;
  const std::string& n = args.name;
  const int64_t q = args.heads * args.head_dim, kv = args.kv_heads * args.head_dim;
  qkv_ = linears().make(
      args.linear,
      {p,
       {{n + ".q", q, Role::kLinear}, {n + ".k", kv, Role::kLinear}, {n + ".v", kv, Role::kValue}},
       args.dim});
  qkv_bias_ = QkvBias(p, n, args.bias, q, kv);
  qk_norm_ = qk_norms().make(config.qk_norm, {p, n, args.head_dim});
  out_ = linears().make(args.linear, {p, {{n + ".out", args.dim, Role::kResidualOutput}}, q});
  if (args.bias.out) out_bias_ = p.add(n + ".out.bias", {args.dim}, Role::kBias);
}

MixerState SoftmaxMixer::make_state(int64_t rows, int64_t capacity) const {
  const Shape shape{rows, capacity, args_.kv_heads, args_.head_dim};
  const Parameters& p = args_.parameters;
  return {{{"k", persistent(shape, p.compute(), p.device(), "the key cache")},
           {"v", persistent(shape, p.compute(), p.device(), "the value cache")}}};
}

namespace {

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

Var SoftmaxMixer::forward(const Var& x_btd, Pass& pass) const {
  const Var packed = linear(x_btd, qkv_->weight(pass), qkv_bias_.var());
  QkvOptions options;
  options.heads = args_.heads;
  options.kv_heads = args_.kv_heads;
  options.head_dim = args_.head_dim;
  if (qk_norm_) {
    options.norm = qk_norm_->kind();
    options.eps = qk_norm_->eps();
  }
  if (args_.position) options.rope = args_.position->rope();
  options.offset = pass.offset;
  options.segments = pass.segments;
  Qkv qkv = split_qkv(packed, qk_norm_ ? qk_norm_->parameters() : QkNormParameters{}, options);
  if (pass.states) extend(qkv, (*pass.states)[static_cast<size_t>(args_.layer)], pass.offset);
  AttentionArgs a;
  a.scale = 1.0f / std::sqrt(static_cast<float>(args_.head_dim));
  a.query_offset = pass.offset;
  a.segment_start = pass.segments;
  if (pass.step) {
    a.dropout = args_.dropout;
    a.step = pass.step;
    a.stream = weights_stream_;
  }
  if (pass.probes && pass.probes->wanted) {
    a.probe = &pass.probes->attention[static_cast<size_t>(args_.layer)];
  }
  const Var o = attention(qkv.q, qkv.k, qkv.v, a).o;
  const Shape& s = x_btd.shape();
  const Var flat = reshape(o, {s[0], s[1], args_.heads * args_.head_dim});
  const Var y = linear(flat, out_->weight(pass), out_bias_.var());
  return pass.step ? dropout(y, {args_.dropout, out_stream_, pass.step}) : y;
}

}  // namespace keel
