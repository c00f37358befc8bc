#include "ops/cross_entropy.h"

#include <fmt/format.h>

#include <algorithm>

#include "backend/cpu/gemm.h"
#include "core/error.h"
#include "ops/check.h"

namespace keel {
namespace {

void check_per_row(const char* op, const char* name, const Tensor& t, DType dtype, int64_t rows) {
  if (!t) return;
  if (t.dtype() != dtype || t.size() != rows || !t.contiguous()) {
    throw ShapeError(fmt::format("{}: {} is {} {}, must be contiguous {} with {} elements", op,
                                 name, name_of(t.dtype()), t.shape().str(), name_of(dtype), rows));
  }
}

void check_labels(const char* op, const Tensor& targets, const Tensor& weights, int64_t rows,
                  int64_t vocab) {
  if (!targets) throw ShapeError(fmt::format("{}: there are no targets", op));
  check_per_row(op, "targets", targets, DType::kI32, rows);
  check_per_row(op, "weights", weights, DType::kF32, rows);
  on_device(targets, [&](auto& dev) { kernel::check_targets(dev, {op, targets, weights, vocab}); });
}

CrossEntropy new_result(int64_t rows, DeviceKind device) {
  const auto f32 = [&](int64_t n) { return empty({n}, DType::kF32, device); };
  return {Var(f32(1)), f32(rows), f32(rows), f32(1)};
}

void sum_rows(const CrossEntropy& r, const Tensor& objective, const Tensor& weights,
              const StepState* state) {
  on_device(r.rows, [&](auto& dev) {
    kernel::cross_entropy_sum(
        dev, {objective ? objective : r.rows, weights, r.log_z, state, r.loss.t, r.mean_log_z});
  });
}

// The head's product and its two gradients, for any range of rows.
struct Head {
  Tensor weight;  // [v, c]
  int64_t flops(int64_t rows) const { return 2 * rows * weight.size(); }

  void logits(const Tensor& x, const Tensor& out) const {
    count_flops(flops(x.dim(0)));
    on_device(x, [&](auto& dev) {
      gemm(dev, {.a = x, .b = weight, .c = out, .b_transposed = true, .bias = {}});
    });
  }
  void gradients(const Tensor& dlogits, const Tensor& x, const Grad& dx,
                 const Grad& dweight) const {
    if (dweight) {
      count_flops(flops(x.dim(0)));
      on_device(x, [&](auto& dev) {
        gemm(dev, {.a = dlogits,
                   .b = x,
                   .c = dweight.t,
                   .a_transposed = true,
                   .accumulate = dweight.add,
                   .bias = {}});
      });
    }
    if (dx) {
      count_flops(flops(dx.t.dim(0)));
      on_device(dx.t, [&](auto& dev) {
        gemm(dev, {.a = dlogits, .b = weight, .c = dx.t, .accumulate = dx.add, .bias = {}});
      });
    }
  }
};

Tensor as_matrix(const Tensor& x) { return x.view({x.rows(), x.dim(-1)}); }
Tensor part(const Tensor& t, int64_t begin, int64_t end) {
  return t ? t.slice(0, begin, end) : Tensor();
}

// One call of head_loss.
struct HeadPass {
  Head head;
  Tensor x, targets, weights;  // x [n, c], targets and weights [n]
  const StepState* state;
  CrossEntropy out;
  Tensor logits, dlogits;  // of the largest chunk; dlogits shares logits' memory in f32
  HeadOptions options;
  Tensor objective;  // [n], or empty

  // Logits of rows [begin, end), their statistics and, if dlogits is there, their gradient.
  Tensor forward(int64_t begin, int64_t end) const {
    const Tensor z = logits.slice(0, 0, end - begin);
    Tensor dz = part(dlogits, 0, end - begin);
    head.logits(x.slice(0, begin, end), z);
    on_device(x, [&](auto& dev) {
      kernel::cross_entropy_fwd(dev, {z,
                                      targets.slice(0, begin, end),
                                      part(weights, begin, end),
                                      out.rows.slice(0, begin, end),
                                      out.log_z.slice(0, begin, end),
                                      {},
                                      dz,
                                      state,
                                      options,
                                      part(objective, begin, end)});
    });
    return dz;
  }
};

void head_in_one(HeadPass& pass, const Var& x, const Var& weight, bool gradient) {
  const int64_t n = pass.x.dim(0);
  Tensor dlogits = pass.forward(0, n);
  pass.logits = pass.dlogits = Tensor();
  if (!gradient) return;
  record("head_loss", {&pass.out.loss}, {x, weight},
         [saved = Saved(x), head = pass.head, dlogits = std::move(dlogits)](Node& node) {
           const Tensor dy = node.dy();
           on_device(dy, [&](auto& dev) { kernel::scale_by(dev, {dlogits, dy}); });
           const Tensor x_again = as_matrix(saved.get());
           Grad dx = node.grad_of(0);
           if (dx) dx.t = as_matrix(dx.t);
           head.gradients(dlogits, x_again, dx, node.grad_of(1));
         });
}

void head_in_chunks(HeadPass& pass, const Var& x, const Var& weight, int64_t chunk) {
  const int64_t n = pass.x.dim(0);
  Node* node = record("head_loss", {&pass.out.loss}, {x, weight},
                      [chunks = (n + chunk - 1) / chunk](Node& self) {
                        const Tensor dy = self.dy();
                        on_device(dy, [&](auto& dev) { kernel::require_one(dev, {dy, chunks}); });
                      });
  Grad dx, dweight;
  if (node) {
    dx = node->grad_of(0);
    dweight = node->grad_of(1);
  }
  if (dx) dx.t = as_matrix(dx.t);
  for (int64_t begin = 0; begin < n; begin += chunk) {
    const int64_t end = std::min(begin + chunk, n);
    Tensor dz = pass.forward(begin, end);
    if (!node) continue;
    pass.head.gradients(dz, pass.x.slice(0, begin, end), {part(dx.t, begin, end), dx.add}, dweight);
    dweight.add = true;
  }
}

void check_head(const Tensor& x, const Tensor& weight) {
  check_axes("head_loss", "weight", weight, 2);
  check_contiguous("head_loss", "x", x);
  if (x.dim(-1) != weight.dim(1)) {
    throw ShapeError(fmt::format("head_loss: weight is {}, last axis of x has {}",
                                 weight.shape().str(), x.dim(-1)));
  }
  if (x.dtype() != weight.dtype()) {
    throw ShapeError(fmt::format("head_loss: x is {}, weight is {}; cast one of them",
                                 name_of(x.dtype()), name_of(weight.dtype())));
  }
}

}  // namespace

CrossEntropy cross_entropy(const Var& logits, const Tensor& targets, const Tensor& weights,
                           const StepState* state) {
  const Tensor& z = logits.t;
  check_contiguous("cross_entropy", "logits", z);
  if (z.dtype() != DType::kF32) {
    throw ShapeError(fmt::format("cross_entropy: logits are {}, must be f32", name_of(z.dtype())));
  }
  check_labels("cross_entropy", targets, weights, z.rows(), z.dim(-1));
  CrossEntropy out = new_result(z.rows(), z.device());
  Tensor stats = empty({z.rows(), 2}, DType::kF32, z.device());
  on_device(z, [&](auto& dev) {
    kernel::cross_entropy_fwd(
        dev, {as_matrix(z), targets, weights, out.rows, out.log_z, stats, {}, state});
  });
  sum_rows(out, {}, weights, state);
  record("cross_entropy", {&out.loss}, {logits}, [z, targets, weights, stats, state](Node& n) {
    const Tensor dy = n.dy();
    const Grad dz = n.grad_of(0);
    on_device(dy, [&](auto& dev) {
      kernel::cross_entropy_bwd(dev, {z, targets, weights, stats, dy, state, dz});
    });
  });
  return out;
}

int64_t head_chunk_rows(int64_t rows, int64_t vocab) {
  const int64_t most = std::max<int64_t>(16, kHeadChunkBytes / (4 * vocab) / 16 * 16);
  if (rows <= most) return rows;
  const int64_t chunks = (rows + most - 1) / most;
  return ((rows + chunks - 1) / chunks + 15) / 16 * 16;
}

CrossEntropy head_loss(const Var& x, const Var& weight, const Tensor& targets,
                       const Tensor& weights, const StepState* state, int64_t chunk_rows,
                       const HeadOptions& options) {
  check_head(x.t, weight.t);
  const int64_t n = x.t.rows(), vocab = weight.t.dim(0);
  check_labels("head_loss", targets, weights, n, vocab);
  const int64_t chunk = std::min(n, chunk_rows > 0 ? chunk_rows : head_chunk_rows(n, vocab));
  const Var inputs[] = {x, weight};
  const bool gradient = Tape::current().recording() && any_gradient(inputs);

  const DeviceKind device = x.t.device();
  HeadPass pass{{weight.t},
                as_matrix(x.t),
                targets.view({n}),
                weights ? weights.view({n}) : weights,
                state,
                new_result(n, device),
                empty({chunk, vocab}, DType::kF32, device),
                {},
                options,
                options.plain() ? Tensor() : empty({n}, DType::kF32, device)};
  if (gradient) {
    const bool bf16 = x.t.dtype() == DType::kBf16;
    pass.dlogits = bf16 ? empty({chunk, vocab}, DType::kBf16, device) : pass.logits;
  }
  if (n <= chunk)
    head_in_one(pass, x, weight, gradient);
  else
    head_in_chunks(pass, x, weight, chunk);
  sum_rows(pass.out, pass.objective, weights, state);
  return pass.out;
}

}  // namespace keel
