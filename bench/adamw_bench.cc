// Optimizers, gradient norm and the gradient tree: GB/s. Floors: AdamW's 28 bytes a parameter, 4
// and 12; the others' are given where they are.
#include <benchmark/benchmark.h>

#include <algorithm>

#include "backend/vec.h"
#include "core/parallel.h"
#include "ops/adamw.h"
#include "ops/grad_norm.h"
#include "optim/gradient_tree.h"
#include "optim/optimizer.h"

namespace keel {
namespace {

// Parameters of toy, small, medium and gpt2.
void sizes(benchmark::internal::Benchmark* b) {
  for (int64_t n : {230'000, 800'000, 10'600'000, 123'600'000}) b->Arg(n);
  b->Unit(benchmark::kMicrosecond)->UseRealTime();
}

Params one_param(int64_t n) {
  const auto make = [&](DType type) { return persistent({n}, type, DeviceKind::kCpu, "a bench"); };
  return {{"all", make(DType::kF32), make(DType::kF32), make(DType::kBf16), true}};
}

void report(benchmark::State& state, int64_t bytes) {
  state.SetBytesProcessed(state.iterations() * bytes);
}

void adamw(benchmark::State& state, bool copy) {
  const int64_t n = state.range(0);
  Params params = one_param(n);
  if (!copy) params[0].copy = Tensor();
  std::fill_n(params[0].grad.data<float>(), n, 1e-3f);
  const auto optimizer = optimizers().make("adamw", params);
  StepState step;
  step.rate = 1e-4f;
  for (auto _ : state) optimizer->step(&step);
  report(state, n * (copy ? 30 : 28));
}
BENCHMARK_CAPTURE(adamw, f32, false)->Apply(sizes);
BENCHMARK_CAPTURE(adamw, with_bf16_copy, true)->Apply(sizes);

// `bytes` a parameter, each pass over memory counted.
void optimizer(benchmark::State& state, const char* kind, int64_t bytes) {
  const int64_t n = state.range(0);
  Params params = one_param(n);
  params[0].copy = Tensor();
  params[0].weight = params[0].weight.view({n / 100, 100});
  params[0].grad = params[0].grad.view({n / 100, 100});
  std::fill_n(params[0].grad.data<float>(), n, 1e-3f);
  const auto optimizer = optimizers().make(kind, params);
  StepState step;
  step.rate = 1e-4f;
  for (auto _ : state) optimizer->step(&step);
  report(state, n * bytes);
}
BENCHMARK_CAPTURE(optimizer, sgd, "sgd", 20)->Apply(sizes);
BENCHMARK_CAPTURE(optimizer, lion, "lion", 20)->Apply(sizes);
BENCHMARK_CAPTURE(optimizer, stable_adamw, "stable_adamw", 36)->Apply(sizes);
BENCHMARK_CAPTURE(optimizer, adafactor, "adafactor", 20)->Apply(sizes);

void grad_norm(benchmark::State& state) {
  const int64_t n = state.range(0);
  const Tensor g = persistent({n}, DType::kF32, DeviceKind::kCpu, "a bench");
  const GradNorm norm({&g, 1});
  StepState step;
  for (auto _ : state) norm.compute(1, &step);
  report(state, n * 4);
}
BENCHMARK(grad_norm)->Apply(sizes);

void gradient_tree(benchmark::State& state) {
  const int64_t n = state.range(0);
  const Tensor g = persistent({n}, DType::kF32, DeviceKind::kCpu, "a bench");
  GradientTree tree(g, 2);  // a copy, then a sum
  for (auto _ : state) tree.add();
  report(state, n * 10);
}
BENCHMARK(gradient_tree)->Apply(sizes);

// The floor: the same seven streams with next to no arithmetic.
void seven_streams(benchmark::State& state) {
  const int64_t n = state.range(0);
  const Tensor all = persistent({4, n}, DType::kF32, DeviceKind::kCpu, "a bench");
  float* const g = all.data<float>();
  for (auto _ : state) {
    parallel_ranges(n, kernel::kUpdatePart, [&](int64_t begin, int64_t end) {
      for_lanes(end - begin, [&](int64_t i, int lanes) {
        const Vec x = load_n(g + begin + i, lanes);
        for (int k = 1; k < 4; ++k) {
          float* y = g + k * n + begin + i;
          store_n(y, load_n(y, lanes) + x, lanes);
        }
      });
    });
  }
  report(state, n * 28);
}
BENCHMARK(seven_streams)->Apply(sizes);

}  // namespace
}  // namespace keel
