#include "optim/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "config/load.h"
#include "config/print.h"
#include "core/error.h"
#include "harness/check_op.h"
#include "harness/config_coverage.h"
#include "harness/golden.h"
#include "ops/grad_norm.h"
#include "optim/adafactor.h"
#include "optim/clip_adagc.h"
#include "optim/clip_global.h"
#include "optim/clip_zclip.h"
#include "optim/lion.h"
#include "optim/muon.h"
#include "optim/schedule.h"
#include "optim/schedule_one_cycle.h"
#include "optim/sgd.h"
#include "optim/stable_adamw.h"

namespace keel::test {
namespace {

// A matrix, with decay, and a vector, without, each in one flat allocation, as the trainer has it.
struct Model {
  Tensor weights, grads, copies;
  Params params;

  explicit Model(bool bf16 = false) {
    weights = persistent({40}, DType::kF32, DeviceKind::kCpu, "weights");
    grads = persistent({40}, DType::kF32, DeviceKind::kCpu, "gradients");
    copies = persistent({40}, DType::kBf16, DeviceKind::kCpu, "copies");
    const Tensor start = normal_tensor({40}, 1);
    std::copy_n(start.data<float>(), 40, weights.data<float>());
    const auto at = [&](const char* name, int64_t begin, const Shape& shape, double decay) {
      const int64_t end = begin + shape.size();
      const auto part = [&](const Tensor& t) { return t.slice(0, begin, end).view(shape); };
      params.push_back({name, part(weights), part(grads), bf16 ? part(copies) : Tensor(), decay});
    };
    at("matrix", 0, {7, 5}, 1);
    at("vector", 35, {5}, 0);
  }
  void gradient(uint64_t seed) {
    const Tensor g = normal_tensor({40}, seed);
    std::copy_n(g.data<float>(), 40, grads.data<float>());
  }
};

StepState state_of(double rate, double factor = 1) {
  StepState s;
  s.rate = static_cast<float>(rate);
  s.factor = static_cast<float>(factor);
  return s;
}

std::unique_ptr<Optimizer> make(const std::string& toml, const Params& params) {
  OptimConfig config;
  load_config_text("test.toml", toml, {}, config);
  return optimizers().make(config.kind, params);
}

std::vector<std::vector<float>> everything(const Model& model, const Optimizer& o) {
  std::vector<std::vector<float>> all = {to_host(model.weights), to_host(model.copies)};
  for (const StateTensor& t : o.state()) all.push_back(to_host(t.tensor));
  return all;
}

class EveryOptimizer : public testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<Optimizer> make_default(const Model& m) const {
    return optimizers().make(GetParam(), m.params);
  }
};

TEST_P(EveryOptimizer, DescendsAQuadratic) {
  Model model;
  OptimConfig config;
  config.kind.select(GetParam());
  if (GetParam() == "muon") config.kind.options_as<Muon::Config>().adamw.lr = 0.02;
  const auto optimizer = optimizers().make(config.kind, model.params);
  const auto distance = [&] {
    double sum = 0;
    for (float w : to_host(model.weights)) sum += double(w) * w;
    return std::sqrt(sum);
  };
  const double start = distance();
  for (int i = 0; i < 300; ++i) {
    std::copy_n(model.weights.data<float>(), 40, model.grads.data<float>());
    const StepState s = state_of(0.01);
    optimizer->step(&s);
  }
  EXPECT_LT(distance(), 0.1 * start);
}

TEST_P(EveryOptimizer, ResumesWithTheSameBits) {
  Model whole(true), first(true), second(true);
  const auto unbroken = make_default(whole);
  auto before = make_default(first);
  auto after = make_default(second);
  for (uint64_t i = 0; i < 10; ++i) {
    const StepState s = state_of(0.01 / double(i + 1));
    whole.gradient(i);
    unbroken->step(&s);
    Model& m = i < 4 ? first : second;
    m.gradient(i);
    (i < 4 ? before : after)->step(&s);
    if (i != 3) continue;
    std::memcpy(second.weights.raw(), first.weights.raw(), first.weights.bytes());
    std::memcpy(second.copies.raw(), first.copies.raw(), first.copies.bytes());
    const auto from = before->state(), to = after->state();
    ASSERT_EQ(from.size(), to.size());
    for (size_t k = 0; k < from.size(); ++k) {
      EXPECT_EQ(from[k].name, to[k].name);
      std::memcpy(to[k].tensor.raw(), from[k].tensor.raw(), from[k].tensor.bytes());
    }
  }
  EXPECT_EQ(everything(whole, *unbroken), everything(second, *after));
}

TEST_P(EveryOptimizer, NanGradientTouchesNothing) {
  Model model(true);
  const auto optimizer = make_default(model);
  StepState s = state_of(0.01);
  model.gradient(1);
  optimizer->step(&s);
  const auto before = everything(model, *optimizer);
  model.grads.data<float>()[17] = NAN;
  GradNorm(std::vector<Tensor>{model.grads}).compute(1, &s);
  optimizer->step(&s);
  EXPECT_EQ(everything(model, *optimizer), before);
}

TEST_P(EveryOptimizer, RateZeroMovesNothing) {
  Model model;
  const auto before = to_host(model.weights);
  const auto optimizer = make_default(model);
  model.gradient(1);
  const StepState s = state_of(0, 0);
  optimizer->step(&s);
  EXPECT_EQ(to_host(model.weights), before);
}

TEST_P(EveryOptimizer, StateIsNamedOnce) {
  Model model;
  std::set<std::string> names;
  for (const StateTensor& t : make_default(model)->state()) {
    EXPECT_TRUE(names.insert(t.name).second) << t.name;
  }
}

TEST_P(EveryOptimizer, WorkingCopiesFollow) {
  Model model(true);
  const auto optimizer = make_default(model);
  model.gradient(1);
  const StepState s = state_of(0.01);
  optimizer->step(&s);
  const auto w = to_host(model.weights), copy = to_host(model.copies);
  for (size_t i = 0; i < w.size(); ++i) EXPECT_EQ(copy[i], float(bf16(w[i])));
}

TEST_P(EveryOptimizer, ConfigRoundTrips) {
  OptimConfig config, again;
  config.kind.select(GetParam());
  load_config_text("again.toml", to_toml(config), {}, again);
  EXPECT_EQ(config_hash(again), config_hash(config));
}

INSTANTIATE_TEST_SUITE_P(All, EveryOptimizer, testing::ValuesIn(optimizers().names()),
                         [](const auto& kind) { return kind.param; });

TEST(OptimConfig, EveryMemberIsWalked) {
  harness::expect_all_walked<OptimConfig>("OptimConfig");
  harness::expect_all_walked<ScheduleConfig>("ScheduleConfig");
  harness::expect_all_walked<ClipConfig>("ClipConfig");
}

TEST(OptimConfig, EveryMemberOfEveryKindIsWalked) {
  harness::expect_all_walked<AdamW::Config>("adamw");
  harness::expect_all_walked<StableAdamW::Config>("stable_adamw");
  harness::expect_all_walked<Adafactor::Config>("adafactor");
  harness::expect_all_walked<Sgd::Config>("sgd");
  harness::expect_all_walked<Lion::Config>("lion");
  harness::expect_all_walked<Muon::Config>("muon");
  harness::expect_all_walked<GroupConfig>("groups.vector");
  harness::expect_all_walked<GroupsConfig>("groups");
  harness::expect_all_walked<QkClipConfig>("qk_clip");
  harness::expect_all_walked<GlobalClip::Config>("global");
  harness::expect_all_walked<AdaGcClip::Config>("adagc");
  harness::expect_all_walked<ZClip::Config>("zclip");
  harness::expect_all_walked<OneCycleSchedule::Config>("one_cycle");
}

TEST(OptimConfig, SchedulesRoundTrip) {
  for (const std::string& kind : schedules().names()) {
    ScheduleConfig config, again;
    config.kind.select(kind);
    load_config_text("again.toml", to_toml(config), {}, again);
    EXPECT_EQ(config_hash(again), config_hash(config)) << kind;
  }
}

TEST(OptimConfig, Defaults) {
  Model model;
  const OptimConfig config;
  std::string text;
  for (const KeyValue& kv : flatten(config)) text += kv.key + "=" + kv.value + " ";
  EXPECT_EQ(
      text,
      "kind=\"adamw\" lr=0.001 betas=[0.9, 0.95] eps=1e-08 weight_decay=0.1 decay=\"rate\" "
      "update_clip=0.0 groups.embedding.rate=1.0 groups.embedding.decay=1.0 groups.head.rate=1.0 "
      "groups.head.decay=1.0 groups.matrix.rate=1.0 groups.matrix.decay=1.0 groups.vector.rate=1.0 "
      "groups.vector.decay=0.0 qk_clip.tau=0.0 ");
  EXPECT_EQ(make("lr = 0.5", model.params)->peak_rate(), 0.5);
  EXPECT_EQ(ClipConfig{}.kind.options_as<GlobalClip::Config>().norm, 1);
}

// Ten updates, by default with warm-up and half a cosine; a clip is active in some of them.
void follow_pytorch(const std::string& name, const std::string& toml, double error = 3e-7,
                    const std::string& schedule_toml = "warmup = 3") {
  const Golden golden("optim.safetensors");
  const auto rates = golden.doubles(name + ".rate");
  const auto norms = to_host(golden.tensor(name + ".norm"));
  Model model;
  const auto put = [&](const Tensor& flat, const Tensor& matrix, const Tensor& vector) {
    std::copy_n(matrix.data<float>(), 35, flat.data<float>());
    std::copy_n(vector.data<float>(), 5, flat.data<float>() + 35);
  };
  put(model.weights, golden.tensor(name + ".matrix.start"), golden.tensor(name + ".vector.start"));
  const auto optimizer = make(toml, model.params);
  ScheduleConfig config;
  load_config_text("schedule.toml", schedule_toml, {}, config);
  const auto schedule = make_schedule(config, 10);
  const GradNorm norm(std::vector<Tensor>{model.grads});
  int clipped = 0;
  for (int64_t step = 0; step < 10; ++step) {
    const auto at = [&](const std::string& what, const Shape& shape) {
      return golden.tensor(name + what).slice(0, step, step + 1).view(shape);
    };
    put(model.grads, at(".matrix.grad", {7, 5}), at(".vector.grad", {5}));
    StepState s = state_of(1e-2 * schedule->factor(step), schedule->factor(step));
    s.momentum = schedule->momentum(step).value_or(-1);
    norm.compute(1, &s);
    clipped += s.clip_coefficient < 1;
    EXPECT_NEAR(s.rate, rates[size_t(step)], 1e-9);
    EXPECT_NEAR(s.grad_norm, norms[size_t(step)], 1e-6 * norms[size_t(step)]);
    optimizer->step(&s);
    EXPECT_LT(relative_error(model.params[0].weight, at(".matrix", {7, 5})), error) << step;
    EXPECT_LT(relative_error(model.params[1].weight, at(".vector", {5})), error) << step;
  }
  EXPECT_EQ(clipped, 7);
}

const std::string kOneCycle = "kind = 'one_cycle'\ncycle_momentum = true";

TEST(AdamWOptimizer, FollowsPyTorch) { follow_pytorch("rate", "lr = 0.01"); }
TEST(AdamWOptimizer, FollowsPyTorchWithIndependentDecay) {
  follow_pytorch("independent", "lr = 0.01\ndecay = 'independent'\nweight_decay = 0.01");
}

TEST(SgdOptimizer, FollowsPyTorch) {
  follow_pytorch("sgd", "kind = 'sgd'\nlr = 0.01\nnesterov = true\nweight_decay = 0.1");
}
TEST(MuonOptimizer, FollowsPyTorch) {
  follow_pytorch("muon",
                 "kind = 'muon'\nlr = 0.01\nweight_decay = 0.1\nadamw.lr = 0.01\n"
                 "adamw.weight_decay = 0",
                 1e-5);
}

TEST(AdamWOptimizer, FollowsPyTorchThroughOneCycle) {
  follow_pytorch("one_cycle", "lr = 0.01", 3e-7, kOneCycle);
}
TEST(SgdOptimizer, FollowsPyTorchThroughOneCycle) {
  follow_pytorch("one_cycle_sgd", "kind = 'sgd'\nlr = 0.01\nnesterov = true\nweight_decay = 0.1",
                 3e-7, kOneCycle);
}

TEST(StableAdamWOptimizer, TakesTheSchedulesMomentum) {
  Model set, own;
  const auto a = make("kind = 'stable_adamw'", set.params);
  const auto b = make("kind = 'stable_adamw'\nbetas = [0.5, 0.99]", own.params);
  for (uint64_t i = 0; i < 3; ++i) {
    set.gradient(i);
    own.gradient(i);
    StepState s = state_of(0.01);
    b->step(&s);
    s.momentum = 0.5;
    a->step(&s);
  }
  EXPECT_EQ(everything(set, *a), everything(own, *b));
}

TEST(AdamWOptimizer, DecayNeedsNoGradient) {
  for (const auto& [decay, factor] : {std::pair{"rate", 0.01 * 0.1}, {"independent", 0.5 * 0.1}}) {
    Model model;
    const auto before = to_host(model.weights);
    const auto optimizer = make("decay = '" + std::string(decay) + "'", model.params);
    const StepState s = state_of(0.01, 0.5);
    optimizer->step(&s);
    const auto after = to_host(model.weights);
    for (size_t i = 0; i < 35; ++i) EXPECT_FLOAT_EQ(after[i], before[i] * float(1 - factor));
    for (size_t i = 35; i < 40; ++i) EXPECT_EQ(after[i], before[i]);
  }
}

TEST(AdamWOptimizer, SkippedStepsLeaveNoTrace) {
  Model with, without;
  const auto a = make("", with.params), b = make("", without.params);
  for (uint64_t i = 0; i < 5; ++i) {
    StepState s = state_of(0.01);
    with.gradient(i);
    if (i % 2 == 0) {
      without.gradient(i);
      b->step(&s);
    } else {
      s.skip = 1;
    }
    a->step(&s);
  }
  EXPECT_EQ(everything(with, *a), everything(without, *b));
}

TEST(AdamWOptimizer, StateNames) {
  Model model;
  std::string names;
  for (const StateTensor& t : make("", model.params)->state()) {
    names += t.name + t.tensor.shape().str() + " ";
  }
  EXPECT_EQ(names, "m/matrix[7, 5] v/matrix[7, 5] m/vector[5] v/vector[5] updates[1] ");
}

TEST(AdamWOptimizer, LargeAndOddParameters) {
  Params params;
  for (int64_t n : {1, 70001}) {
    params.push_back(
        {"p" + std::to_string(n), normal_tensor({n}, 1), normal_tensor({n}, 2), {}, false});
  }
  const auto optimizer = make("", params);
  const auto before = to_host(params[1].weight);
  const StepState s = state_of(0.01);
  optimizer->step(&s);
  const auto after = to_host(params[1].weight), g = to_host(params[1].grad);
  for (size_t i = 0; i < after.size(); ++i) {
    ASSERT_NEAR(after[i], before[i] - (g[i] > 0 ? 0.01 : -0.01), 1e-5 + 1e-10 / std::abs(g[i]));
  }
}

TEST(Optimizer, Errors) {
  const auto message = [](const Param& p) -> std::string {
    try {
      make("", {p});
    } catch (const ShapeError& e) {
      return e.what();
    }
    return "nothing was thrown";
  };
  const Tensor w = normal_tensor({2, 3}, 1), half = normal_tensor({2, 3}, 1, 1, 0, DType::kBf16);
  EXPECT_EQ(message({"w", w, normal_tensor({6}, 1), {}, true}),
            "optimizer: gradient of w is f32 [6], must be contiguous f32 [2, 3]");
  EXPECT_EQ(message({"w", half, half, {}, true}),
            "optimizer: weight of w is bf16 [2, 3], must be contiguous f32 [2, 3]");
  EXPECT_EQ(message({"w", w, w, w, true}),
            "optimizer: working copy of w is f32 [2, 3], must be contiguous bf16 [2, 3]");
}

}  // namespace
}  // namespace keel::test
