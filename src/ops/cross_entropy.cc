#include "ops/cross_entropy.h"

#include <fmt/format.h>

#include <algorithm>

#include "backend/cpu/gemm.h"
#include "core/error.h"
#include "ops/check.h"
#include "ops/linear.h"

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

Tensor as_matrix(const Tensor& x) { return x.view({x.rows(), x.dim(-1)}); }
Tensor part(const Tensor& t, int64_t begin, int64_t end) {
  return t ? t.slice(0, begin, end) : Tensor();
}

// One call of head_loss.
struct HeadPass {
  Tensor weight;               // [v, c]
  Tensor bias;                 // [v], or empty
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
    count_flops(2 * (end - begin) * weight.size());
    on_device(x, [&](auto& dev) {
      gemm(dev,
           {.a = x.slice(0, begin, end), .b = weight, .c = z, .b_transposed = true, .bias = bias});
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

void head_in_one(HeadPass& pass, const Var& x, const Var& weight, const Var& bias, bool gradient) {
  const int64_t n = pass.x.dim(0);
  Tensor dlogits = pass.forward(0, n);
  pass.logits = pass.dlogits = Tensor();
  if (!gradient) return;
  record("head_loss", {&pass.out.loss}, {x, weight, bias},
         [saved = Saved(x), weight = weight.t, dlogits = std::move(dlogits)](Node& node) {
           const Tensor dy = node.dy();
           on_device(dy, [&](auto& dev) { kernel::scale_by(dev, {dlogits, dy}); });
           const Tensor x_again = as_matrix(saved.get());
           Grad dx = node.grad_of(0);
           if (dx) dx.t = as_matrix(dx.t);
           bias_gradient(dlogits, node.grad_of(2));
           linear_gradients(dlogits, x_again, weight, dx, node.grad_of(1));
         });
}

void head_in_chunks(HeadPass& pass, const Var& x, const Var& weight, const Var& bias,
                    int64_t chunk) {
  const int64_t n = pass.x.dim(0);
  Node* node = record("head_loss", {&pass.out.loss}, {x, weight, bias},
                      [chunks = (n + chunk - 1) / chunk](Node& self) {
                        const Tensor dy = self.dy();
                        on_device(dy, [&](auto& dev) { kernel::require_one(dev, {dy, chunks}); });
                      });
  Grad dx, dweight, dbias;
  if (node) {
    dx = node->grad_of(0);
    dweight = node->grad_of(1);
    dbias = node->grad_of(2);
  }
  if (dx) dx.t = as_matrix(dx.t);
  for (int64_t begin = 0; begin < n; begin += chunk) {
    const int64_t end = std::min(begin + chunk, n);
    Tensor dz = pass.forward(begin, end);
    if (!node) continue;
    bias_gradient(dz, dbias);
    linear_gradients(dz, pass.x.slice(0, begin, end), pass.weight, {part(dx.t, begin, end), dx.add},
                     dweight);
    dweight.add = dbias.add = true;
  }
}

void check_head(const Tensor& x, const Tensor& weight, const Tensor& bias) {
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
  if (!bias) return;
  if (bias.dtype() == DType::kF32 && bias.shape() == Shape{weight.dim(0)} && bias.contiguous()) {
    return;
  }
  throw ShapeError(fmt::format("head_loss: bias is {} {}, must be f32 [{}]", name_of(bias.dtype()),
                               bias.shape().str(), weight.dim(0)));
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

int64_t head_chunk_rows(int64_t rows, int64_t vocab, int64_t dim) {
  const int64_t fits = std::max(kHeadChunkBytes / (4 * vocab), dim);
  const int64_t most = std::max<int64_t>(16, fits / 16 * 16);
  if (rows <= most) return rows;
  const int64_t chunks = (rows + most - 1) / most;
  return ((rows + chunks - 1) / chunks + 15) / 16 * 16;
}

CrossEntropy head_loss(const Var& x, const Var& weight, const Tensor& targets,
                       const Tensor& weights, const StepState* state, int64_t chunk_rows,
                       const HeadOptions& options, const Var& bias) {
  check_head(x.t, weight.t, bias.t);
  const int64_t n = x.t.rows(), vocab = weight.t.dim(0);
  check_labels("head_loss", targets, weights, n, vocab);
  const int64_t chunk =
      std::min(n, chunk_rows > 0 ? chunk_rows : head_chunk_rows(n, vocab, weight.t.dim(1)));
  const Var inputs[] = {x, weight, bias};
  const bool gradient = Tape::current().recording() && any_gradient(inputs);

  const DeviceKind device = x.t.device();
  HeadPass pass{weight.t,
                bias.t,
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
    head_in_one(pass, x, weight, bias, gradient);
  else
    head_in_chunks(pass, x, weight, bias, chunk);
  sum_rows(pass.out, pass.objective, weights, state);
  return pass.out;
}

}  // namespace keel
