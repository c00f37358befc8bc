// The head with its loss, forward and backward, at the five shapes: GFLOP/s of its three products,
// and the pass over the logits alone: GB/s. Floor of the latter: 8 bytes a logit (read, write).
#include <benchmark/benchmark.h>

#include <algorithm>

#include "core/arena.h"
#include "ops/cross_entropy.h"

namespace keel {
namespace {

struct Shapes {
  int64_t rows, width, vocab;
};
// toy, small, medium, gpt2, gpt2long.
constexpr Shapes kShapes[] = {
    {1024, 64, 256}, {768, 128, 96}, {2048, 384, 96}, {256, 768, 50304}, {1024, 768, 50304}};

Tensor filled(const Shape& shape, DType type = DType::kF32) {
  std::vector<float> v(static_cast<size_t>(shape.size()));
  uint32_t r = 1;
  for (float& x : v) x = float((r = r * 1664525u + 1013904223u) >> 8) * 0x1p-24f - 0.5f;
  return from_host(shape, v, type);
}
Tensor targets_of(const Shapes& s) {
  std::vector<int32_t> t(static_cast<size_t>(s.rows));
  for (size_t i = 0; i < t.size(); ++i) t[i] = static_cast<int32_t>(i * 7919 % size_t(s.vocab));
  return from_host({s.rows}, t);
}

void head_loss(benchmark::State& state) {
  const Shapes s = kShapes[state.range(0)];
  Slot x_slot, weight_slot;
  x_slot.grad = persistent({s.rows, s.width}, DType::kF32, DeviceKind::kCpu, "a bench");
  weight_slot.grad = persistent({s.vocab, s.width}, DType::kF32, DeviceKind::kCpu, "a bench");
  const Var x(filled({s.rows, s.width}), &x_slot), weight(filled({s.vocab, s.width}), &weight_slot);
  const Tensor targets = targets_of(s);
  StepState step;
  step.loss_scale = 1.0f / static_cast<float>(s.rows);
  Arena arena(DeviceKind::kCpu);
  for (auto _ : state) {
    const ArenaScope scope(arena, 1);
    x_slot.written = weight_slot.written = false;
    backward(keel::head_loss(x, weight, targets, {}, &step, state.range(1)).loss);
  }
  const double flops = 6.0 * double(s.rows) * double(s.width) * double(s.vocab);
  state.counters["GFLOP/s"] =
      benchmark::Counter(flops * double(state.iterations()) * 1e-9, benchmark::Counter::kIsRate);
}
BENCHMARK(head_loss)
    ->ArgNames({"shape", "chunk"})
    ->Args({0, 0})
    ->Args({1, 0})
    ->Args({2, 0})
    ->Args({3, 0})
    ->ArgsProduct({{4}, {0, 256, 512, 1024}})
    ->Unit(benchmark::kMicrosecond)
    ->UseRealTime();

void logits_to_gradient(benchmark::State& state) {
  const Shapes s = kShapes[state.range(0)];
  const int64_t rows = std::min<int64_t>(s.rows, 256);
  const Tensor logits = filled({rows, s.vocab}), targets = targets_of({rows, s.width, s.vocab});
  const Tensor ce = empty({rows}), log_z = empty({rows});
  for (auto _ : state) {
    kernel::cross_entropy_fwd(cpu(), {logits, targets, {}, ce, log_z, {}, logits, nullptr});
  }
  state.SetBytesProcessed(state.iterations() * logits.size() * 8);
}
BENCHMARK(logits_to_gradient)
    ->ArgName("shape")
    ->DenseRange(0, 4)
    ->Unit(benchmark::kMicrosecond)
    ->UseRealTime();

}  // namespace
}  // namespace keel
