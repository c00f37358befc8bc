#include "ops/rope.h"

#include <fmt/format.h>

#include <cmath>
#include <vector>

#include "core/device.h"
#include "core/device_memory.h"
#include "core/error.h"
#include "ops/check.h"
#include "ops/head_views.h"

namespace keel {
namespace {

void check_segments(const Tensor& segments, int64_t b, int64_t t) {
  if (!segments || (segments.shape() == Shape{b, t} && segments.dtype() == DType::kI32)) return;
  throw ShapeError(fmt::format("split_qkv: segments is {} {}, must be i32 [{}, {}]",
                               name_of(segments.dtype()), segments.shape().str(), b, t));
}

void check_rope(const QkvOptions& o, int64_t t) {
  if (!o.rope) return;
  const Shape& s = o.rope.cos.shape();
  if (s.axes() != 2 || 2 * s[1] != o.head_dim || o.rope.sin.shape() != s) {
    throw ShapeError(fmt::format("split_qkv: rope tables are {} and {}, head_dim is {}", s.str(),
                                 o.rope.sin.shape().str(), o.head_dim));
  }
  if (o.offset < 0 || o.offset + t > s[0]) {
    throw ShapeError(fmt::format("split_qkv: positions {} to {} are outside the {} of the tables",
                                 o.offset, o.offset + t - 1, s[0]));
  }
}

void check(const Tensor& qkv, const QkNormParameters& p, const QkvOptions& o) {
  check_axes("split_qkv", "qkv", qkv, 3);
  check_contiguous("split_qkv", "qkv", qkv);
  const int64_t width = (o.heads + 2 * o.kv_heads) * o.head_dim;
  if (qkv.dim(2) != width) {
    throw ShapeError(
        fmt::format("split_qkv: qkv is {}, its last axis must have {} values: {} + 2 x "
                    "{} heads of {}",
                    qkv.shape().str(), width, o.heads, o.kv_heads, o.head_dim));
  }
  if (o.head_dim > kernel::kMaxHeadDim) {
    throw ShapeError(
        fmt::format("split_qkv: head_dim {} is more than {}", o.head_dim, kernel::kMaxHeadDim));
  }
  const Tensor head = qkv.strided({o.head_dim}, {1});
  check_last_axis("split_qkv", head, "q_gain", p.q_gain.t);
  check_last_axis("split_qkv", head, "k_gain", p.k_gain.t);
  check_last_axis("split_qkv", head, "q_bias", p.q_bias.t);
  check_last_axis("split_qkv", head, "k_bias", p.k_bias.t);
  if (o.norm == QkNorm::kNone && (p.q_gain || p.k_gain || p.q_bias || p.k_bias)) {
    throw ShapeError("split_qkv: gains or biases are given, but q and k are not normed");
  }
  check_rope(o, qkv.dim(1));
  check_segments(o.segments, qkv.dim(0), qkv.dim(1));
}

// q or k: where it lies in qkv, how it is made, and its statistics.
struct Part {
  int64_t first, n;  // heads
  kernel::HeadNormRope in;
  Tensor mean, rstd;
  bool changed = false;  // false: the part is a view of qkv

  Tensor value(bool again) const {
    if (!changed) return in.x;
    Tensor y = empty(in.x.shape(), in.x.dtype(), in.x.device());
    on_device(y, [&](auto& dev) { kernel::head_norm_rope_fwd(dev, {in, y, mean, rstd, again}); });
    return y;
  }

  void backward(Node& n, int output, int gain_input, const Grad& dqkv) const;
};

Part make_part(const Tensor& qkv, int64_t first, int64_t n, const Tensor& gain, const Tensor& bias,
               const QkvOptions& o) {
  Part part{first,
            n,
            {heads_of(qkv, first, n, o.head_dim), gain, bias, o.rope.cos, o.rope.sin, o.segments,
             o.offset, o.norm, o.eps},
            {},
            {}};
  const Shape rows{qkv.dim(0) * qkv.dim(1) * n};
  if (o.norm != QkNorm::kNone) part.rstd = empty(rows, DType::kF32, qkv.device());
  if (o.norm == QkNorm::kLayer) part.mean = empty(rows, DType::kF32, qkv.device());
  part.changed = o.rope || o.norm != QkNorm::kNone;
  return part;
}

void Part::backward(Node& node, int output, int gain_input, const Grad& dqkv) const {
  const Tensor dy = node.dy(output);
  Grad dx;
  if (dqkv) dx = {heads_of(dqkv.t, first, n, in.x.dim(3)), dqkv.add};
  if (!dy || !changed) return pass_on(dy, dx);
  const Grad dgain = node.grad_of(gain_input), dbias = node.grad_of(gain_input + 2);
  Tensor partial;
  if (dgain || dbias) {
    const int64_t tokens = in.x.dim(0) * in.x.dim(1);
    const int64_t chunks = (tokens + kernel::kHeadTokens - 1) / kernel::kHeadTokens;
    partial = empty({chunks, 2, in.x.dim(3)}, DType::kF32, dy.device());
  }
  on_device(dy, [&](auto& dev) {
    kernel::head_norm_rope_bwd(dev, {in, dy, mean, rstd, dx, dgain, dbias, partial});
  });
}

}  // namespace

RopeTables rope_tables(int64_t context, int64_t head_dim, double base, DeviceKind device) {
  if (head_dim % 2 != 0) {
    throw ShapeError(fmt::format("rope: head_dim is {}, it must be even", head_dim));
  }
  const int64_t half = head_dim / 2;
  const Shape shape{context, half};
  if (device == DeviceKind::kMeta) {
    return {persistent(shape, DType::kF32, device, "rope"),
            persistent(shape, DType::kF32, device, "rope")};
  }
  std::vector<float> cos, sin;
  for (int64_t position = 0; position < context; ++position) {
    for (int64_t i = 0; i < half; ++i) {
      const double angle =
          static_cast<double>(position) *
          std::pow(base, -2.0 * static_cast<double>(i) / static_cast<double>(head_dim));
      cos.push_back(static_cast<float>(std::cos(angle)));
      sin.push_back(static_cast<float>(std::sin(angle)));
    }
  }
  return {copy_to(from_host(shape, cos), device), copy_to(from_host(shape, sin), device)};
}

Qkv split_qkv(const Var& qkv, const QkNormParameters& p, const QkvOptions& o) {
  check(qkv.t, p, o);
  const Part q = make_part(qkv.t, 0, o.heads, p.q_gain.t, p.q_bias.t, o);
  const Part k = make_part(qkv.t, o.heads, o.kv_heads, p.k_gain.t, p.k_bias.t, o);
  const int64_t first_v = o.heads + o.kv_heads;
  Qkv out{Var(q.value(false)), Var(k.value(false)),
          Var(heads_of(qkv.t, first_v, o.kv_heads, o.head_dim))};
  record("split_qkv", {&out.q, &out.k, &out.v}, {qkv, p.q_gain, p.k_gain, p.q_bias, p.k_bias},
         [q, k, first_v, kv_heads = o.kv_heads, head_dim = o.head_dim](Node& n) {
           const Grad dqkv = n.grad_of(0);
           q.backward(n, 0, 1, dqkv);
           k.backward(n, 1, 2, dqkv);
           if (dqkv) {
             pass_on(n.dy(2), {heads_of(dqkv.t, first_v, kv_heads, head_dim), dqkv.add});
           }
         });
  if (q.changed) {
    rebuild_with(out.q, [q] { return q.value(true); });
    rebuild_with(out.k, [k] { return k.value(true); });
  }
  return out;
}

}  // namespace keel
