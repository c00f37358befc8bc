// Optimizers, gradient norm and the gradient tree: GB/s. Floors: AdamW's 28 bytes a parameter, 4
// and 12; the others' are given where they are.
#include <benchmark/benchmark.h>

#include <algorithm>

#include "backend/cpu/gemm.h"
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
  params[0].weight = params[0].weight.view({n / 400, 400});
  params[0].grad = params[0].grad.view({n / 400, 400});
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

// Sixteen square matrices; the floor is its products: 30 size^3 flops a matrix.
void muon(benchmark::State& state) {
  const int64_t size = state.range(0);
  Params params;
  for (int i = 0; i < 16; ++i) {
    params.push_back(one_param(size * size)[0]);
    params.back().name += std::to_string(i);
    params.back().copy = Tensor();
    params.back().weight = params.back().weight.view({size, size});
    params.back().grad = params.back().grad.view({size, size});
    for (int64_t k = 0; k < size * size; ++k) {
      params.back().grad.data<float>()[k] = static_cast<float>(k * 7919 % 1009) - 504;
    }
  }
  const auto optimizer = optimizers().make("muon", params);
  StepState step;
  step.rate = 1e-4f;
  for (auto _ : state) optimizer->step(&step);
  state.counters["flops"] = benchmark::Counter(static_cast<double>(16 * 30 * size * size * size),
                                               benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(muon)->Arg(256)->Arg(512)->Unit(benchmark::kMicrosecond)->UseRealTime();

// What its products alone take.
void muon_products(benchmark::State& state) {
  const int64_t size = state.range(0);
  const Tensor all = persistent({3, size, size}, DType::kF32, DeviceKind::kCpu, "a bench");
  const auto part = [&](int64_t i) { return all.slice(0, i, i + 1).view({size, size}); };
  for (auto _ : state) {
    for (int i = 0; i < 16 * 5; ++i) {
      gemm(cpu(), {.a = part(0), .b = part(0), .c = part(1), .b_transposed = true, .bias = {}});
      gemm(cpu(), {.a = part(1), .b = part(1), .c = part(2), .bias = {}});
      gemm(cpu(), {.a = part(2), .b = part(0), .c = part(1), .bias = {}});
    }
  }
  state.counters["flops"] = benchmark::Counter(static_cast<double>(16 * 30 * size * size * size),
                                               benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(muon_products)->Arg(256)->Arg(512)->Unit(benchmark::kMicrosecond)->UseRealTime();

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
