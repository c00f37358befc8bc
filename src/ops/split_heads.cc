#include "ops/split_heads.h"

#include <fmt/format.h>

#include "core/device.h"
#include "core/error.h"
#include "ops/check.h"
#include "ops/head_views.h"

namespace keel {
namespace {

void check_vector(const char* name, const Tensor& v, int64_t n, int64_t head_dim) {
  if (!v) return;
  if (v.dtype() == DType::kF32 && v.contiguous() &&
      (v.shape() == Shape{head_dim} || v.shape() == Shape{n * head_dim})) {
    return;
  }
  throw ShapeError(fmt::format("split_heads: {} is {} {}, must be f32 [{}] or [{}]", name,
                               name_of(v.dtype()), v.shape().str(), head_dim, n * head_dim));
}

// Parts that are tanh(alpha x), and their heads.
struct TanhParts {
  int64_t parts = 0, heads = 0;

  explicit TanhParts(const SplitHeads& o) {
    add(o.q, o.heads);
    add(o.k, o.kv_heads);
    add(o.v, o.kv_heads);
  }
  void add(const HeadForm& f, int64_t n) {
    if (f.norm != HeadNormKind::kTanh) return;
    ++parts;
    heads += n;
  }
};

void check_alphas(const SplitHeads& o) {
  const TanhParts tanh(o);
  const Tensor& a = o.alphas.t;
  if (tanh.parts == 0) return;
  if (a && a.dtype() == DType::kF32 && a.contiguous() &&
      (a.shape() == Shape{tanh.parts} || a.shape() == Shape{tanh.heads})) {
    return;
  }
  throw ShapeError(
      fmt::format("split_heads: alphas is {}, must be f32 [{}] or [{}]",
                  a ? fmt::format("{} {}", name_of(a.dtype()), a.shape().str()) : "missing",
                  tanh.parts, tanh.heads));
}

void check_rope(const SplitHeads& o, int64_t t) {
  if (!o.rope) {
    if (!o.q.turn && !o.k.turn && !o.v.turn) return;
    throw ShapeError("split_heads: a rotation is asked for, but there are no tables");
  }
  const Shape& s = o.rope.cos.shape();
  if (s.axes() != 2 || 2 * s[1] > o.head_dim || o.rope.sin.shape() != s) {
    throw ShapeError(fmt::format("split_heads: rope tables are {} and {}, head_dim is {}", s.str(),
                                 o.rope.sin.shape().str(), o.head_dim));
  }
  if (o.offset < 0 || o.offset + t > s[0]) {
    throw ShapeError(fmt::format("split_heads: positions {} to {} are outside the {} of the tables",
                                 o.offset, o.offset + t - 1, s[0]));
  }
}

void check(const Tensor& qkv, const SplitHeads& o) {
  check_axes("split_heads", "qkv", qkv, 3);
  check_contiguous("split_heads", "qkv", qkv);
  const int64_t width = (o.heads + 2 * o.kv_heads) * o.head_dim;
  if (qkv.dim(2) != width) {
    throw ShapeError(fmt::format(
        "split_heads: qkv is {}, its last axis must have {} values: {} + 2 x {} heads of {}",
        qkv.shape().str(), width, o.heads, o.kv_heads, o.head_dim));
  }
  check_vector("q_gain", o.q.gain.t, o.heads, o.head_dim);
  check_vector("q_bias", o.q.bias.t, o.heads, o.head_dim);
  check_vector("k_gain", o.k.gain.t, o.kv_heads, o.head_dim);
  check_vector("k_bias", o.k.bias.t, o.kv_heads, o.head_dim);
  check_vector("v_gain", o.v.gain.t, o.kv_heads, o.head_dim);
  check_vector("v_bias", o.v.bias.t, o.kv_heads, o.head_dim);
  check_alphas(o);
  check_rope(o, qkv.dim(1));
  if (o.segments &&
      (o.segments.shape() != Shape{qkv.dim(0), qkv.dim(1)} || o.segments.dtype() != DType::kI32)) {
    throw ShapeError(fmt::format("split_heads: segments is {} {}, must be i32 [{}, {}]",
                                 name_of(o.segments.dtype()), o.segments.shape().str(), qkv.dim(0),
                                 qkv.dim(1)));
  }
}

struct Part {
  int64_t first, n;
  kernel::HeadsForm in;
  bool changed;      // false: the part is a view of qkv
  int64_t alpha_at;  // of its alphas among all

  Tensor value() const {
    if (!changed) return in.x;
    Tensor y = empty(in.x.shape(), in.x.dtype(), in.x.device());
    on_device(y, [&](auto& dev) { kernel::heads_fwd(dev, {in, y}); });
    return y;
  }

  void backward(Node& node, int which, const Grad& dqkv, const Grad& dalphas) const;
};

// alpha_at moves behind the part's alphas.
Part make_part(const Tensor& qkv, int64_t first, int64_t n, const HeadForm& f, const SplitHeads& o,
               int64_t& alpha_at) {
  const RopeTables rope = f.turn ? o.rope : RopeTables();
  Tensor alpha;
  if (f.norm == HeadNormKind::kTanh) {
    const TanhParts tanh(o);
    const int64_t mine = o.alphas.t.size() == tanh.heads ? n : 1;
    alpha = o.alphas.t.slice(0, alpha_at, alpha_at + mine);
    alpha_at += mine;
  }
  return {first,
          n,
          {heads_of(qkv, first, n, o.head_dim), f.gain.t, f.bias.t, alpha, rope.cos, rope.sin,
           o.segments, o.offset, f.norm, f.width, f.norm_last, rope.interleaved, f.eps, f.share},
          rope || f.norm != HeadNormKind::kNone,
          alpha_at - alpha.size()};
}

// Inputs of the node: qkv, three gains, three biases, the alphas.
void Part::backward(Node& node, int which, const Grad& dqkv, const Grad& dalphas) const {
  const Tensor dy = node.dy(which);
  Grad dalpha;
  if (dalphas && in.alpha) {
    dalpha = {dalphas.t.slice(0, alpha_at, alpha_at + in.alpha.size()), dalphas.add};
  }
  if (!dy) pass_on({}, dalpha);
  Grad dx;
  if (dqkv) dx = {heads_of(dqkv.t, first, n, in.x.dim(3)), dqkv.add};
  if (!dy || !changed) return pass_on(dy, dx);
  const Grad dgain = node.grad_of(1 + which), dbias = node.grad_of(4 + which);
  const int64_t tokens = in.x.dim(0) * in.x.dim(1);
  const int64_t chunks = (tokens + kernel::kHeadTokens - 1) / kernel::kHeadTokens;
  Tensor partial, alpha_partial;
  if (dgain || dbias) partial = empty({chunks, 2, n * in.x.dim(3)}, DType::kF32, dy.device());
  if (dalpha) alpha_partial = empty({chunks, 1, n}, DType::kF32, dy.device());
  on_device(dy, [&](auto& dev) {
    kernel::heads_bwd(dev, {in, dy, dx, dgain, dbias, dalpha, partial, alpha_partial});
  });
}

}  // namespace

Qkv split_heads(const Var& qkv, const SplitHeads& o) {
  check(qkv.t, o);
  int64_t alpha_at = 0;
  const Part q = make_part(qkv.t, 0, o.heads, o.q, o, alpha_at);
  const Part k = make_part(qkv.t, o.heads, o.kv_heads, o.k, o, alpha_at);
  const Part v = make_part(qkv.t, o.heads + o.kv_heads, o.kv_heads, o.v, o, alpha_at);
  Qkv out{Var(q.value()), Var(k.value()), Var(v.value())};
  record("split_heads", {&out.q, &out.k, &out.v},
         {qkv, o.q.gain, o.k.gain, o.v.gain, o.q.bias, o.k.bias, o.v.bias, o.alphas},
         [q, k, v](Node& n) {
           const Grad dqkv = n.grad_of(0);
           const Grad dalphas = n.grad_of(7);
           q.backward(n, 0, dqkv, dalphas);
           k.backward(n, 1, dqkv, dalphas);
           v.backward(n, 2, dqkv, dalphas);
         });
  if (q.changed) rebuild_with(out.q, [q] { return q.value(); });
  if (k.changed) rebuild_with(out.k, [k] { return k.value(); });
  if (v.changed) rebuild_with(out.v, [v] { return v.value(); });
  return out;
}

}  // namespace keel
