// Weights of linears made anew in a step, forward and backward: GB/s. Floors: of the f32 weights
// sigma_reparam reads or writes 7 times their bytes, weight_norm 5 (a row stays in the cache).
#include <benchmark/benchmark.h>

#include <algorithm>

#include "ops/sigma_reparam.h"
#include "ops/weight_norm.h"

namespace keel {
namespace {

// The stack of q, k and v of small, medium and gpt2.
void sizes(benchmark::internal::Benchmark* b) {
  for (int64_t dim : {128, 384, 768}) b->Arg(dim);
  b->Unit(benchmark::kMicrosecond)->UseRealTime();
}

Tensor filled(const Shape& shape, float value) {
  const Tensor t = persistent(shape, DType::kF32, DeviceKind::kCpu, "a bench");
  std::fill_n(t.data<float>(), t.size(), value);
  return t;
}

void sigma_reparam(benchmark::State& state) {
  const int64_t dim = state.range(0);
  const Tensor w = filled({3 * dim, dim}, 0.02f), dy = filled({3 * dim, dim}, 1e-3f);
  const Tensor u = filled({3, dim}, 0.1f), next = filled({3, dim}, 0);
  Slot w_slot, gamma_slot;
  w_slot.grad = filled({3 * dim, dim}, 0);
  const Var weight(w, &w_slot), gamma(filled({3}, 1), &gamma_slot);
  const StackedRows rows{{dim, dim, dim}, 3};
  for (auto _ : state) {
    w_slot.written = gamma_slot.written = false;
    backward(keel::sigma_reparam(weight, gamma, {rows, u, next, DType::kF32}), dy);
  }
  state.SetBytesProcessed(state.iterations() * w.size() * 4 * 7);
}
BENCHMARK(sigma_reparam)->Apply(sizes);

void weight_norm(benchmark::State& state) {
  const int64_t dim = state.range(0);
  const Tensor v = filled({3 * dim, dim}, 0.02f), dy = filled({3 * dim, dim}, 1e-3f);
  Slot v_slot, gain_slot;
  v_slot.grad = filled({3 * dim, dim}, 0);
  const Var weight(v, &v_slot), gain(filled({3 * dim}, 1), &gain_slot);
  for (auto _ : state) {
    v_slot.written = gain_slot.written = false;
    backward(keel::weight_norm(weight, gain, DType::kF32), dy);
  }
  state.SetBytesProcessed(state.iterations() * v.size() * 4 * 5);
}
BENCHMARK(weight_norm)->Apply(sizes);

}  // namespace
}  // namespace keel
