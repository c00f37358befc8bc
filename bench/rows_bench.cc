// Ops that stream through memory once: GB/s of what must be read and written. Their floor is the
// rate of `copy` at the same shape, which does nothing else.
#include <benchmark/benchmark.h>

#include <algorithm>

#include "core/arena.h"
#include "core/philox.h"
#include "core/step_state.h"
#include "ops/add.h"
#include "ops/copy.h"
#include "ops/dropout.h"
#include "ops/embedding.h"
#include "ops/gated.h"
#include "ops/layer_norm.h"
#include "ops/rms_norm.h"
#include "ops/rope.h"

namespace keel {
namespace {

// Tokens and width of toy, small, medium and gpt2.
void shapes(benchmark::internal::Benchmark* b) {
  b->Args({512, 128})->Args({2048, 256})->Args({4096, 384})->Args({4096, 768});
  b->Unit(benchmark::kMicrosecond)->UseRealTime();
}

Tensor tensor(const Shape& shape, DType dtype = DType::kF32) {
  Tensor x = persistent(shape, dtype, DeviceKind::kCpu, "a bench");
  for (int64_t i = 0; i < x.size() && dtype == DType::kF32; ++i) {
    x.data<float>()[i] = static_cast<float>(mix64(i) % 2001) * 1e-3f - 1;
  }
  return x;
}

void report(benchmark::State& state, int64_t floats) {
  state.SetBytesProcessed(state.iterations() * floats * 4);
}

void copy(benchmark::State& state) {
  const Tensor x = tensor({state.range(0), state.range(1)}), y = tensor(x.shape());
  for (auto _ : state) kernel::copy(cpu(), {y, {x}});
  report(state, 2 * x.size());
}
BENCHMARK(copy)->Apply(shapes);

template <auto kNorm>
void norm_alone(benchmark::State& state) {
  const int64_t r = state.range(0), c = state.range(1);
  const Tensor x = tensor({r, c}), gain = tensor({c});
  NoGrad off;
  Arena arena(DeviceKind::kCpu);
  for (auto _ : state) {
    ArenaScope step(arena, 1);
    kNorm(x, gain, {}, 1e-6f, DType::kF32);
  }
  report(state, 2 * r * c);
}
BENCHMARK(norm_alone<rms_norm>)->Name("rms_norm")->Apply(shapes);
BENCHMARK(norm_alone<layer_norm>)->Name("layer_norm")->Apply(shapes);

template <auto kNorm>
void norm_forward(benchmark::State& state) {
  const int64_t r = state.range(0), c = state.range(1);
  const Tensor x = tensor({r, c}), branch = tensor({r, c}), gain = tensor({c});
  NoGrad off;
  Arena arena(DeviceKind::kCpu);
  for (auto _ : state) {
    ArenaScope step(arena, 1);
    kNorm(x, branch, gain, {}, 1e-6f, DType::kF32);
  }
  report(state, 4 * r * c);
}
BENCHMARK(norm_forward<add_rms_norm>)->Name("add_rms_norm")->Apply(shapes);
BENCHMARK(norm_forward<add_layer_norm>)->Name("add_layer_norm")->Apply(shapes);

void add_rms_norm_backward(benchmark::State& state) {
  const int64_t r = state.range(0), c = state.range(1);
  const Tensor x = tensor({r, c}), dy = tensor({r, c}), dsum = tensor({r, c}), gain = tensor({c});
  const Tensor dx = tensor({r, c}), dbranch = tensor({r, c}), dgain = tensor({c});
  const Tensor rstd = tensor({r}), partial = tensor({(r + 63) / 64, 2, c});
  for (auto _ : state) {
    kernel::rms_norm_bwd(
        cpu(),
        {dy, dsum, x, gain, rstd, {dx, false}, {dbranch, false}, {dgain, false}, {}, partial});
  }
  report(state, 5 * r * c);
}
BENCHMARK(add_rms_norm_backward)->Apply(shapes);

void add_layer_norm_backward(benchmark::State& state) {
  const int64_t r = state.range(0), c = state.range(1);
  const Tensor x = tensor({r, c}), dy = tensor({r, c}), dsum = tensor({r, c}), gain = tensor({c});
  const Tensor dx = tensor({r, c}), dbranch = tensor({r, c}), dgain = tensor({c});
  const Tensor mean = tensor({r}), rstd = tensor({r}), partial = tensor({(r + 63) / 64, 2, c});
  for (auto _ : state) {
    kernel::layer_norm_bwd(cpu(), {dy,
                                   dsum,
                                   x,
                                   gain,
                                   mean,
                                   rstd,
                                   {dx, false},
                                   {dbranch, false},
                                   {dgain, false},
                                   {},
                                   partial});
  }
  report(state, 5 * r * c);
}
BENCHMARK(add_layer_norm_backward)->Apply(shapes);

void gated_forward(benchmark::State& state) {
  const int64_t r = state.range(0), h = state.range(1) * 8 / 3;
  const Tensor x = tensor({r, 2 * h}), y = tensor({r, h});
  for (auto _ : state) kernel::gated_fwd(cpu(), {x, y, Activation::kSilu});
  report(state, 3 * r * h);
}
BENCHMARK(gated_forward)->Name("swiglu")->Apply(shapes);

void gated_backward(benchmark::State& state) {
  const int64_t r = state.range(0), h = state.range(1) * 8 / 3;
  const Tensor x = tensor({r, 2 * h}), dy = tensor({r, h}), dx = tensor({r, 2 * h});
  for (auto _ : state) kernel::gated_bwd(cpu(), {dy, x, {dx, false}, Activation::kSilu});
  report(state, 5 * r * h);
}
BENCHMARK(gated_backward)->Name("swiglu_backward")->Apply(shapes);

template <Activation kKind>
void activation_forward(benchmark::State& state) {
  const Tensor x = tensor({state.range(0), 4 * state.range(1)}), y = tensor(x.shape());
  for (auto _ : state) kernel::activation_fwd(cpu(), {x, y, kKind});
  report(state, 2 * x.size());
}
BENCHMARK(activation_forward<Activation::kGelu>)->Name("gelu")->Apply(shapes);
BENCHMARK(activation_forward<Activation::kGeluErf>)->Name("gelu_erf")->Apply(shapes);
BENCHMARK(activation_forward<Activation::kRelu>)->Name("relu")->Apply(shapes);
BENCHMARK(activation_forward<Activation::kSilu>)->Name("silu")->Apply(shapes);

template <Activation kKind>
void activation_backward(benchmark::State& state) {
  const Tensor x = tensor({state.range(0), 4 * state.range(1)}), dx = tensor(x.shape());
  const Tensor dy = tensor(x.shape());
  for (auto _ : state) kernel::activation_bwd(cpu(), {dy, x, {dx, false}, kKind});
  report(state, 3 * x.size());
}
BENCHMARK(activation_backward<Activation::kGelu>)->Name("gelu_backward")->Apply(shapes);
BENCHMARK(activation_backward<Activation::kGeluErf>)->Name("gelu_erf_backward")->Apply(shapes);
BENCHMARK(activation_backward<Activation::kRelu>)->Name("relu_backward")->Apply(shapes);
BENCHMARK(activation_backward<Activation::kSilu>)->Name("silu_backward")->Apply(shapes);

// q and k of heads of 64, with the rotation and, `normed`, the norm per head.
void split(benchmark::State& state, bool normed) {
  const int64_t r = state.range(0), c = state.range(1);
  const Tensor qkv = tensor({1, r, 3 * c}), gain = tensor({64});
  QkvOptions o{.heads = c / 64,
               .kv_heads = c / 64,
               .head_dim = 64,
               .norm = normed ? QkNorm::kRms : QkNorm::kNone,
               .eps = 1e-6f,
               .rope = rope_tables(r, 64, 10000),
               .offset = 0,
               .segments = {}};
  const QkNormParameters p{normed ? gain : Tensor(), normed ? gain : Tensor(), {}, {}};
  NoGrad off;
  Arena arena(DeviceKind::kCpu);
  for (auto _ : state) {
    ArenaScope step(arena, 1);
    split_qkv(qkv, p, o);
  }
  report(state, 4 * r * c);
}
BENCHMARK_CAPTURE(split, rope, false)->Apply(shapes);
BENCHMARK_CAPTURE(split, qk_norm_and_rope, true)->Apply(shapes);

void embedding_forward(benchmark::State& state) {
  const int64_t r = state.range(0), c = state.range(1);
  const Tensor tokens = persistent({1, r}, DType::kI32, DeviceKind::kCpu, "a bench");
  for (int64_t i = 0; i < r; ++i) tokens.data<int32_t>()[i] = static_cast<int32_t>(mix64(i) % 256);
  const Tensor table = tensor({256, c}), y = tensor({1, r, c});
  for (auto _ : state) kernel::embedding_fwd(cpu(), {tokens, table, {}, {}, y, 0});
  report(state, 2 * r * c);
}
BENCHMARK(embedding_forward)->Name("embedding")->Apply(shapes);

void embedding_backward(benchmark::State& state) {
  const int64_t r = state.range(0), c = state.range(1);
  const Tensor tokens = persistent({1, r}, DType::kI32, DeviceKind::kCpu, "a bench");
  for (int64_t i = 0; i < r; ++i) tokens.data<int32_t>()[i] = static_cast<int32_t>(mix64(i) % 256);
  const Tensor dtable = tensor({256, c}), dy = tensor({1, r, c});
  for (auto _ : state) kernel::embedding_bwd(cpu(), {dy, tokens, {}, {dtable, true}, {}, 0});
  report(state, 3 * r * c);
}
BENCHMARK(embedding_backward)->Apply(shapes);

void dropout_forward(benchmark::State& state) {
  const Tensor x = tensor({state.range(0), state.range(1)}), y = tensor(x.shape());
  const StepState step;
  for (auto _ : state) kernel::dropout(cpu(), {x, {y, false}, {0.1f, 1, &step}});
  report(state, 2 * x.size());
}
BENCHMARK(dropout_forward)->Name("dropout")->Apply(shapes);

}  // namespace
}  // namespace keel
