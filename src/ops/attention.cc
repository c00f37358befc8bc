#include "ops/attention.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "ops/check.h"
#include "ops/copy.h"

namespace keel {
namespace {

void check_rows(const char* name, const Tensor& x) {
  check_axes("attention", name, x, 4);
  if (x.stride(3) == 1) return;
  throw ShapeError(
      fmt::format("attention: the last axis of {} {} must be contiguous, its stride is {}", name,
                  x.shape().str(), x.stride(3)));
}

void check_shapes(const Tensor& q, const Tensor& k, const Tensor& v) {
  check_rows("q", q);
  check_rows("k", k);
  check_rows("v", v);
  check_same_shape("attention", "k", k, "v", v);
  const auto fail = [&](const char* what) {
    throw ShapeError(
        fmt::format("attention: q is {}, k is {}: {}", q.shape().str(), k.shape().str(), what));
  };
  if (q.dim(0) != k.dim(0)) fail("both must have the same batch (axis 0)");
  if (q.dim(3) != k.dim(3)) fail("both must have the same head_dim (axis 3)");
  if (q.size() == 0 || k.size() == 0) fail("neither may be empty");
  if (q.dim(2) % k.dim(2) != 0) fail("the key heads must divide the heads (axis 2)");
  if (q.dtype() == k.dtype() && k.dtype() == v.dtype() && q.dtype() != DType::kI32) return;
  throw ShapeError(fmt::format("attention: q is {}, k {}, v {}; all must be f32 or all bf16",
                               name_of(q.dtype()), name_of(k.dtype()), name_of(v.dtype())));
}

void check_heads(const char* name, const Tensor& x, int64_t heads) {
  if (!x || (x.dtype() == DType::kF32 && x.shape() == Shape{heads} && x.contiguous())) return;
  throw ShapeError(fmt::format("attention: {} is {} {}, must be f32 [{}]", name, name_of(x.dtype()),
                               x.shape().str(), heads));
}

void check_distance_bias(const AttentionArgs& args, const Tensor& q) {
  const Tensor& x = args.distance_bias.t;
  if (!x) return;
  if (!args.causal) throw ConfigError("attention: a distance_bias needs causal = true");
  const int64_t distances = args.query_offset + q.dim(1);
  if (x.dtype() == DType::kF32 && x.shape().axes() == 2 && x.dim(0) == q.dim(2) &&
      x.dim(1) >= distances + 2 * kDistancePad && x.contiguous()) {
    return;
  }
  throw ShapeError(fmt::format(
      "attention: distance_bias is {} {}, must be f32 [{}, at least {}]: {} distances and 2 x {}",
      name_of(x.dtype()), x.shape().str(), q.dim(2), distances + 2 * kDistancePad, distances,
      kDistancePad));
}

void check_distance_term(const AttentionArgs& args, const Tensor& q) {
  const Tensor &dq = args.distance_query.t, &dk = args.distance_key.t;
  if (!dq && !dk) return;
  if (!args.causal) throw ConfigError("attention: a distance_query needs causal = true");
  check_rows("distance_query", dq);
  check_same_shape("attention", "distance_query", dq, "q", q);
  const int64_t distances = args.query_offset + q.dim(1);
  if (dq.dtype() == q.dtype() && dk.dtype() == q.dtype() && dk.shape().axes() == 3 &&
      dk.dim(0) >= distances && dk.dim(1) == q.dim(2) && dk.dim(2) == q.dim(3) && dk.contiguous()) {
    return;
  }
  throw ShapeError(fmt::format(
      "attention: distance_key is {} {}, must be {} [at least {}, {}, {}], as distance_query is",
      name_of(dk.dtype()), dk.shape().str(), name_of(q.dtype()), distances, q.dim(2), q.dim(3)));
}

void check_entropy(const AttentionArgs& args) {
  if (args.entropy_weight == 0.0f) return;
  if (!(args.entropy_floor >= 0.0f)) {
    throw ConfigError(
        fmt::format("attention: entropy_floor is {}, must be at least 0", args.entropy_floor));
  }
  if (args.sink) throw ConfigError("attention: entropy_weight does not go with a sink");
  if (args.clips()) throw ConfigError("attention: entropy_weight does not go with a clip");
}

void check_args(const AttentionArgs& args, const Tensor& q) {
  const auto fail = [](const char* name, auto value, const char* wanted) {
    throw ConfigError(fmt::format("attention: {} is {}, must be {}", name, value, wanted));
  };
  if (!(args.dropout >= 0.0f && args.dropout < 1.0f)) fail("dropout", args.dropout, "in [0, 1)");
  if (args.dropout > 0.0f && !args.step) fail("step", "null", "given where dropout is not 0");
  if (args.window < 0) fail("window", args.window, "0 (none) or positive");
  if (args.query_offset < 0) fail("query_offset", args.query_offset, "0 or positive");
  if (!(args.clip_high >= 1.0f)) fail("clip_high", args.clip_high, "at least 1");
  if (!(args.clip_low <= 0.0f)) fail("clip_low", args.clip_low, "at most 0");
  check_entropy(args);
  check_heads("sink", args.sink.t, q.dim(2));
  if (args.log_scale.t.shape() != Shape{1}) check_heads("log_scale", args.log_scale.t, q.dim(2));
  check_distance_bias(args, q);
  check_distance_term(args, q);
  const Tensor& start = args.segment_start;
  if (!start) return;
  if (start.dtype() != DType::kI32 || start.shape() != Shape{q.dim(0), q.dim(1)} ||
      start.stride(1) != 1) {
    throw ShapeError(fmt::format("attention: segment_start is {} {}, must be i32 [{}, {}]",
                                 name_of(start.dtype()), start.shape().str(), q.dim(0), q.dim(1)));
  }
}

// Pairs of query and key in one head, segments left aside.
int64_t visible_pairs(const AttentionArgs& args, int64_t tq, int64_t tk) {
  int64_t n = 0;
  for (int64_t i = 0; i < tq; ++i) {
    const int64_t p = args.query_offset + i;
    int64_t begin = 0, end = args.causal ? std::min(tk, p + 1) : tk;
    if (args.window > 0) {
      begin = std::max<int64_t>(0, p - args.window + 1);
      end = std::min(end, p + args.window);
    }
    n += std::max<int64_t>(0, end - begin);
  }
  return n;
}

int64_t query_tiles(const Tensor& q) {
  return (q.dim(1) + kernel::kQueryTile - 1) / kernel::kQueryTile;
}

struct Kept {
  Saved q, k, v;
  Tensor o, lse, row_entropy;
  AttentionArgs args;
  int64_t flops;
};

// The gradient of o; zeros where only the penalty has one.
Tensor output_gradient(Node& n, const Tensor& o) {
  Tensor dy = n.dy();
  if (dy) return dy;
  dy = empty(o.shape(), o.dtype(), o.device());
  on_device(dy, [&](auto& dev) { kernel::fill(dev, {dy, 0.0f}); });
  return dy;
}

void backward(Node& n, const Kept& s) {
  const Tensor q = s.q.get(), k = s.k.get(), v = s.v.get();
  const int64_t splits =
      kernel::attention_splits(k.dim(0), k.dim(2), q.dim(2) / k.dim(2), q.dim(1));
  const int64_t width = (q.dim(3) + kernel::kHeadPad - 1) / kernel::kHeadPad * kernel::kHeadPad;
  Tensor partial;
  if (splits > 1 && (n.wants(1) || n.wants(2))) {
    partial = empty({2 * k.dim(0) * k.dim(2), splits, k.dim(1), width}, DType::kF32, q.device());
  }
  count_flops(2 * s.flops);
  const Tensor dy = output_gradient(n, s.o), dpenalty = s.row_entropy ? n.dy(1) : Tensor();
  // In the order in which the kernel writes them: one value may be passed as several inputs.
  const Grad ddistance_query = n.grad_of(6);
  const Grad dq = n.grad_of(0), dk = n.grad_of(1), dv = n.grad_of(2);
  const Grad dsink = n.grad_of(3), dlog_scale = n.grad_of(4), dbias = n.grad_of(5);
  Tensor row_partial, bias_partial;
  if (dsink || dlog_scale) {
    row_partial = empty({2, q.dim(0), q.dim(2), query_tiles(q)}, DType::kF32, q.device());
  }
  if (dbias) {
    const int64_t row = s.args.distance_bias.t.dim(1);
    bias_partial = empty({q.dim(0) * splits, q.dim(2), row}, DType::kF32, q.device());
  }
  const Grad ddistance_key = n.grad_of(7);
  Tensor key_partial;
  if (ddistance_key) {
    const int64_t rows = s.args.distance_key.t.dim(0);
    key_partial = empty({q.dim(0) * splits, q.dim(2), rows, width}, DType::kF32, q.device());
  }
  on_device(q, [&](auto& dev) {
    kernel::attention_bwd(dev, {dy,
                                q,
                                k,
                                v,
                                s.o,
                                s.lse,
                                dq,
                                dk,
                                dv,
                                s.args,
                                splits,
                                partial,
                                dsink,
                                dlog_scale,
                                dbias,
                                row_partial,
                                bias_partial,
                                ddistance_query,
                                ddistance_key,
                                key_partial,
                                dpenalty ? s.row_entropy : Tensor(),
                                dpenalty});
  });
}

}  // namespace

Attention attention(const Var& q, const Var& k, const Var& v, const AttentionArgs& args) {
  check_shapes(q.t, k.t, v.t);
  check_args(args, q.t);
  const int64_t batch = q.t.dim(0), tq = q.t.dim(1), heads = q.t.dim(2);
  const DeviceKind device = q.t.device();
  Tensor o = empty(q.shape(), q.t.dtype(), device);
  Tensor lse = empty({batch, heads, tq}, DType::kF32, device), stats, row_entropy, penalty;
  if (args.entropy_weight != 0.0f) {
    row_entropy = empty({batch, heads, tq}, DType::kF32, device);
    penalty = empty({1}, DType::kF32, device);
  }
  if (args.probe) {
    const int64_t columns = args.probe->rms_wanted ? kernel::kStatsWithRms : kernel::kStats;
    stats = empty({batch, heads, query_tiles(q.t), columns}, DType::kF32, device);
  }
  const int64_t flops = 4 * batch * heads * q.t.dim(3) * visible_pairs(args, tq, k.t.dim(1));
  count_flops(flops);
  on_device(q.t, [&](auto& dev) {
    kernel::attention_fwd(dev, {q.t, k.t, v.t, o, lse, args, stats, row_entropy});
    if (penalty) kernel::entropy_penalty(dev, {row_entropy, args, penalty});
  });
  Attention result{Var(o), lse, Var(penalty)};
  const auto put = [&](std::initializer_list<Var*> outputs) {
    record(
        "attention", outputs,
        {q, k, v, args.sink, args.log_scale, args.distance_bias, args.distance_query,
         args.distance_key},
        [kept = Kept{q, k, v, o, lse, row_entropy, args, flops}](Node& n) { backward(n, kept); });
  };
  if (penalty)
    put({&result.o, &result.penalty});
  else
    put({&result.o});
  return result;
}

}  // namespace keel
