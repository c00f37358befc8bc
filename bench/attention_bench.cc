// Attention on the shapes of the five benchmark models and on long contexts. GFLOP/s counts the
// products of visible pairs: two forward, five backward (the scores are made again). The floor is
// those products at the rate of attention/ceiling, which works on 64 x 64 matrices in L1.
#include <benchmark/benchmark.h>

#include <cmath>
#include <string>

#include "backend/cpu/panel.h"
#include "backend/vec.h"
#include "core/arena.h"
#include "core/parallel.h"
#include "ops/attention.h"
#include "ops/distance_bias.h"
#include "ops/soft_cap.h"

namespace keel {
namespace {

struct Sizes {
  int64_t b, heads, kv, t, hd;
  double pairs() const { return 0.5 * static_cast<double>(b * heads * t * (t + 1)); }
};

const Sizes kToy{16, 4, 4, 64, 16}, kSmall{12, 4, 4, 64, 32}, kMedium{8, 6, 6, 256, 64},
    kGpt2{4, 12, 12, 64, 64}, kGpt2Long{1, 12, 12, 1024, 64}, kLong{1, 4, 4, 8192, 64},
    kGrouped{1, 8, 2, 1024, 64};

Tensor filled(const Shape& shape) {
  Tensor x = persistent(shape, DType::kF32, DeviceKind::kCpu, "benchmark");
  for (int64_t i = 0; i < x.size(); ++i) x.data<float>()[i] = std::sin(static_cast<float>(i));
  return x;
}

void count(benchmark::State& state, double flops) {
  state.counters["GFLOP/s"] =
      benchmark::Counter(flops * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

// q, k and v lie side by side, as the product with their weights leaves them.
struct Inputs {
  Tensor packed;
  Slot slots[3];
  Var q, k, v;

  explicit Inputs(const Sizes& s) {
    const int64_t row = (s.heads + 2 * s.kv) * s.hd;
    packed = filled({s.b, s.t, row});
    const auto part = [&](int64_t heads, int64_t at) {
      return packed.strided({s.b, s.t, heads, s.hd}, {s.t * row, row, s.hd, 1}, at * s.hd);
    };
    q = Var(part(s.heads, 0), &slots[0]);
    k = Var(part(s.kv, s.heads), &slots[1]);
    v = Var(part(s.kv, s.heads + s.kv), &slots[2]);
    const Shape shapes[] = {q.shape(), k.shape(), v.shape()};
    for (int i = 0; i < 3; ++i) slots[i].grad = filled(shapes[i]);
  }
  AttentionArgs args(const Sizes& s) const {
    AttentionArgs a;
    a.scale = 1.0f / std::sqrt(static_cast<float>(s.hd));
    return a;
  }
};

void Forward(benchmark::State& state, const Sizes& s, bool probe) {
  Inputs in(s);
  AttentionProbe out;
  AttentionArgs args = in.args(s);
  if (probe) args.probe = &out;
  Arena arena(DeviceKind::kCpu);
  NoGrad off;
  for (auto _ : state) {
    ArenaScope scope(arena, 1);
    benchmark::DoNotOptimize(attention(in.q, in.k, in.v, args).o.t.raw());
  }
  count(state, 4.0 * s.pairs() * static_cast<double>(s.hd));
}

void ForwardBackward(benchmark::State& state, const Sizes& s) {
  Inputs in(s);
  const Tensor dy = filled({s.b, s.t, s.heads, s.hd});
  Arena arena(DeviceKind::kCpu);
  for (auto _ : state) {
    ArenaScope scope(arena, 1);
    for (Slot& slot : in.slots) slot.written = false;
    const Attention a = attention(in.q, in.k, in.v, in.args(s));
    backward(a.o, dy);
  }
  count(state, 14.0 * s.pairs() * static_cast<double>(s.hd));
}

// The same with one switch, for what it adds.
void Switched(benchmark::State& state, const Sizes& s, const std::string& which) {
  static const float cap = 50;
  Inputs in(s);
  Slot sink, theta, bias, query, key;
  const Tensor dy = filled({s.b, s.t, s.heads, s.hd});
  AttentionArgs args = in.args(s);
  if (which == "soft_cap") args.passes[0] = soft_cap(&cap);
  if (which == "soft_clip") args.clip_high = 1.03f, args.clip_low = -0.03f;
  if (which == "sink") args.sink = Var(filled({s.heads}), &sink);
  if (which == "learned_scale") args.log_scale = Var(filled({s.heads}), &theta);
  if (which == "alibi") args.distance_bias = Var(alibi_bias(s.heads, s.t, DeviceKind::kCpu));
  if (which == "t5") args.distance_bias = Var(filled({s.heads, s.t + 2 * kDistancePad}), &bias);
  if (which == "window") args.window = s.t / 2;
  if (which == "transformer_xl") {
    args.distance_query = Var(filled({s.b, s.t, s.heads, s.hd}), &query);
    args.distance_key = Var(filled({s.t, s.heads, s.hd}), &key);
  }
  Arena arena(DeviceKind::kCpu);
  for (auto _ : state) {
    ArenaScope scope(arena, 1);
    for (Slot* slot : {in.slots, in.slots + 1, in.slots + 2, &sink, &theta, &bias, &query, &key}) {
      slot->written = false;
    }
    const Attention a = attention(in.q, in.k, in.v, args);
    backward(a.o, dy);
    for (Slot* slot : {&sink, &theta, &bias, &query, &key}) slot->grad = Tensor();
  }
}

void Decode(benchmark::State& state, const Sizes& s) {
  Inputs in(s);
  AttentionArgs args = in.args(s);
  args.query_offset = s.t - 1;
  const Tensor q = filled({s.b, 1, s.heads, s.hd});
  NoGrad off;
  for (auto _ : state) benchmark::DoNotOptimize(attention(q, in.k, in.v, args).o.t.raw());
  state.counters["GB/s"] = benchmark::Counter(8e-9 * static_cast<double>(s.b * s.kv * s.t * s.hd),
                                              benchmark::Counter::kIsIterationInvariantRate);
}

void Ceiling(benchmark::State& state) {
  const Tensor a = filled({64, 64}), b = filled({64, 64}), c = filled({64, 64});
  const Panel p{a.data<float>(), 64, false, b.data<float>(), 64, c.data<float>(), 64, false};
  for (auto _ : state) {
    multiply_panel(p, 64, 64, 64 / kLanes);
    benchmark::ClobberMemory();
  }
  count(state, 2.0 * 64 * 64 * 64 * num_threads());
}

const struct {
  const char* name;
  const Sizes* s;
} kShapes[] = {{"toy", &kToy},   {"small", &kSmall},       {"medium", &kMedium},  {"gpt2", &kGpt2},
               {"long", &kLong}, {"gpt2long", &kGpt2Long}, {"grouped", &kGrouped}};

const bool registered = [] {
  benchmark::RegisterBenchmark("attention/ceiling", Ceiling)->UseRealTime();
  for (const auto& shape : kShapes) {
    const std::string name = shape.name;
    const Sizes s = *shape.s;
    benchmark::RegisterBenchmark(("attention/forward/" + name).c_str(), Forward, s, false)
        ->UseRealTime();
    benchmark::RegisterBenchmark(("attention/forward_probed/" + name).c_str(), Forward, s, true)
        ->UseRealTime();
    benchmark::RegisterBenchmark(("attention/forward_backward/" + name).c_str(), ForwardBackward, s)
        ->UseRealTime();
  }
  for (const char* which : {"nothing", "soft_cap", "soft_clip", "sink", "learned_scale", "alibi",
                            "t5", "window", "transformer_xl"}) {
    benchmark::RegisterBenchmark((std::string("attention/switch/") + which).c_str(), Switched,
                                 kMedium, std::string(which))
        ->UseRealTime();
  }
  benchmark::RegisterBenchmark("attention/decode/gpt2long", Decode, kGpt2Long)->UseRealTime();
  benchmark::RegisterBenchmark("attention/decode/grouped", Decode, kGrouped)->UseRealTime();
  return true;
}();

}  // namespace
}  // namespace keel
