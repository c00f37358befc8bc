// The three products of a linear layer, forward, of its input's gradient and of its weight's:
// GFLOP/s. Their floor is the rate of attention/ceiling, which multiplies in L1.
#include <benchmark/benchmark.h>

#include <algorithm>

#include "core/arena.h"
#include "ops/linear.h"

namespace keel {
namespace {

// Tokens, inputs and outputs of the gated layer of toy, small, medium and gpt2, and of gpt2's
// output projection.
void shapes(benchmark::internal::Benchmark* b) {
  b->Args({512, 128, 704})->Args({2048, 256, 1408})->Args({2048, 384, 2048});
  b->Args({1024, 768, 4096})->Args({1024, 768, 768});
  b->Unit(benchmark::kMicrosecond)->UseRealTime();
}

Tensor filled(const Shape& shape, float value) {
  const Tensor t = persistent(shape, DType::kF32, DeviceKind::kCpu, "a bench");
  std::fill_n(t.data<float>(), t.size(), value);
  return t;
}

void report(benchmark::State& state, double products) {
  const double flops = 2.0 * static_cast<double>(state.range(0) * state.range(1) * state.range(2));
  state.counters["FLOP/s"] =
      benchmark::Counter(products * flops, benchmark::Counter::kIsIterationInvariantRate);
}

void linear_forward(benchmark::State& state) {
  const int64_t n = state.range(0), in = state.range(1), out = state.range(2);
  const Tensor x = filled({n, in}, 0.5f), w = filled({out, in}, 0.02f);
  NoGrad off;
  Arena arena(DeviceKind::kCpu);
  for (auto _ : state) {
    ArenaScope step(arena, 1);
    linear(x, w, {});
  }
  report(state, 1);
}
BENCHMARK(linear_forward)->Name("linear")->Apply(shapes);

void linear_backward(benchmark::State& state) {
  const int64_t n = state.range(0), in = state.range(1), out = state.range(2);
  const Tensor dy = filled({n, out}, 1e-3f);
  Slot x_slot, w_slot;
  x_slot.grad = filled({n, in}, 0);
  w_slot.grad = filled({out, in}, 0);
  const Var x(filled({n, in}, 0.5f), &x_slot), w(filled({out, in}, 0.02f), &w_slot);
  Arena arena(DeviceKind::kCpu);
  for (auto _ : state) {
    ArenaScope step(arena, 1);
    x_slot.written = w_slot.written = false;
    backward(linear(x, w, {}), dy);
  }
  report(state, 3);
}
BENCHMARK(linear_backward)->Name("linear_forward_and_backward")->Apply(shapes);

}  // namespace
}  // namespace keel
