// Clips: what holds of each, and the two adaptive ones against their algorithms in double.
#include "optim/clip.h"

#include <gtest/gtest.h>

#include <cmath>

#include "config/load.h"
#include "config/print.h"
#include "core/error.h"
#include "harness/check_op.h"
#include "ops/grad_norm.h"

namespace keel::test {
namespace {

// Three gradients side by side, the last of several parts.
struct Model {
  Tensor flat;
  Params params;

  Model() {
    const std::vector<int64_t> sizes = {12, 7, 66001};
    flat = persistent({66020}, DType::kF32, DeviceKind::kCpu, "gradients");
    int64_t at = 0;
    for (const int64_t n : sizes) {
      const std::string name = "p" + std::to_string(n);
      params.push_back({name, normal_tensor({n}, 1), flat.slice(0, at, at + n), {}});
      at += n;
    }
  }
  // Each gradient gets the norm given, and a direction that is always the same.
  void set(const std::vector<double>& norms) {
    for (size_t k = 0; k < params.size(); ++k) {
      const float* g = params[k].weight.data<float>();
      const int64_t n = params[k].grad.size();
      double sum = 0;
      for (int64_t i = 0; i < n; ++i) sum += double(g[i]) * double(g[i]);
      const double scale = norms[k] / std::sqrt(sum);
      for (int64_t i = 0; i < n; ++i) params[k].grad.data<float>()[i] = float(double(g[i]) * scale);
    }
  }
  double norm(size_t k) const {
    double sum = 0;
    for (float x : to_host(params[k].grad)) sum += double(x) * double(x);
    return std::sqrt(sum);
  }
};

std::unique_ptr<Clip> make(const std::string& toml, const Model& m) {
  ClipConfig config;
  load_config_text("test.toml", toml, {}, config);
  return clips().make(config.kind, {m.params, m.flat});
}

std::vector<std::vector<float>> state_of(const Clip& c) {
  std::vector<std::vector<float>> all;
  for (const StateTensor& t : c.state()) all.push_back(to_host(t.tensor));
  return all;
}

// Norms as training has them: noise, a slow fall, a spike now and then.
std::vector<double> norms_at(int step) {
  const auto noise = normal_values(3, uint64_t(1000 + step), 0.1);
  const double size = std::exp(-step / 80.0) * (step % 17 == 16 ? 12 : 1);
  return {0.3 * size * (1 + double(noise[0])), 0.02 * size * (1 + double(noise[1])),
          0.6 * (1 + double(noise[2])) * (step % 23 == 20 ? 5 : 1)};
}

class EveryClip : public testing::TestWithParam<std::string> {};

TEST_P(EveryClip, NeverIncreasesANorm) {
  Model m;
  const auto clip = clips().make(GetParam(), ClipArgs{m.params, m.flat});
  for (int step = 0; step < 200; ++step) {
    m.set(norms_at(step));
    const std::vector<double> before = {m.norm(0), m.norm(1), m.norm(2)};
    StepState s;
    clip->compute(&s);
    EXPECT_NEAR(s.grad_norm, std::hypot(before[0], before[1], before[2]), 1e-12);
    EXPECT_LE(s.clip_coefficient, 1);
    EXPECT_GT(s.clip_coefficient, 0);
    for (size_t k = 0; k < 3; ++k) EXPECT_LE(m.norm(k), before[k] * (1 + 1e-6));
  }
}

TEST_P(EveryClip, ConstantNormsAreLeftAlone) {
  Model m;
  const auto clip = clips().make(GetParam(), ClipArgs{m.params, m.flat});
  m.set({0.3, 0.02, 0.5});
  const auto before = to_host(m.flat);
  for (int step = 0; step < 200; ++step) {
    StepState s;
    clip->compute(&s);
    EXPECT_EQ(s.clip_coefficient, 1);
  }
  EXPECT_EQ(to_host(m.flat), before);
}

TEST_P(EveryClip, SkippedStepsLeaveNoTrace) {
  Model m;
  const auto clip = clips().make(GetParam(), ClipArgs{m.params, m.flat});
  for (int step = 0; step < 130; ++step) {
    m.set(norms_at(step));
    StepState s;
    clip->compute(&s);
    if (step % 20 != 3) continue;
    const auto before = state_of(*clip);
    m.params[2].grad.data<float>()[5] = NAN;
    StepState nan;
    clip->compute(&nan);
    EXPECT_EQ(nan.skip, 1);
    EXPECT_EQ(nan.nonfinite, 1);
    m.set({1e3, 1e3, 1e3});
    StepState skipped;
    skipped.skip = 1;  // the loss was not finite
    clip->compute(&skipped);
    EXPECT_EQ(state_of(*clip), before);
    EXPECT_NEAR(m.norm(0), 1e3, 1e-2);
  }
}

TEST_P(EveryClip, ResumesWithTheSameBits) {
  Model a, b;
  const auto whole = clips().make(GetParam(), ClipArgs{a.params, a.flat});
  auto resumed = clips().make(GetParam(), ClipArgs{b.params, b.flat});
  for (int step = 0; step < 160; ++step) {
    if (step == 10 || step == 120) {
      resumed = clips().make(GetParam(), ClipArgs{b.params, b.flat});
      const auto from = whole->state(), to = resumed->state();
      ASSERT_EQ(from.size(), to.size());
      for (size_t k = 0; k < from.size(); ++k) {
        EXPECT_EQ(from[k].name, to[k].name);
        std::memcpy(to[k].tensor.raw(), from[k].tensor.raw(), from[k].tensor.bytes());
      }
    }
    StepState s, t;
    a.set(norms_at(step));
    b.set(norms_at(step));
    whole->compute(&s);
    resumed->compute(&t);
    ASSERT_EQ(s.clip_coefficient, t.clip_coefficient) << step;
    ASSERT_TRUE(same_bits(a.flat, b.flat)) << step;
  }
}

TEST_P(EveryClip, ConfigRoundTrips) {
  ClipConfig config, again;
  config.kind.select(GetParam());
  load_config_text("again.toml", to_toml(config), {}, again);
  EXPECT_EQ(config_hash(again), config_hash(config));
}

INSTANTIATE_TEST_SUITE_P(All, EveryClip, testing::ValuesIn(clips().names()),
                         [](const auto& kind) { return kind.param; });

// A table that says nothing but the norm is what it always was.
TEST(Clip, DefaultIsTheGlobalNormAtOne) {
  Model m;
  m.set({3, 0, 4});
  StepState s;
  make("", m)->compute(&s);
  EXPECT_FLOAT_EQ(s.clip_coefficient, float(1 / (5 + 1e-6)));
  make("norm = 2.5", m)->compute(&s);
  EXPECT_FLOAT_EQ(s.clip_coefficient, float(2.5 / (5 + 1e-6)));
  make("norm = 0", m)->compute(&s);
  EXPECT_EQ(s.clip_coefficient, 1);
  make("kind = 'none'", m)->compute(&s);
  EXPECT_EQ(s.clip_coefficient, 1);
  EXPECT_NEAR(s.grad_norm, 5, 1e-6);
}

TEST(Clip, Errors) {
  const auto message = [](const std::string& toml) -> std::string {
    try {
      Model m;
      make(toml, m);
    } catch (const ConfigError& e) {
      return e.what();
    }
    return "nothing was thrown";
  };
  EXPECT_NE(message("kind = 'none'\nnorm = 1").find("unknown key"), std::string::npos);
  EXPECT_NE(message("kind = 'zclipp'").find("did you mean \"zclip\"?"), std::string::npos);
  EXPECT_NE(message("kind = 'zclip'\nmode = 'median'").find("must be one of"), std::string::npos);
  EXPECT_NE(message("kind = 'adagc'\nfloor = 0").find("must be above 0"), std::string::npos);
}

// bluorion-com/ZClip, zclip/zclip.py.
TEST(ZClip, FollowsItsAlgorithm) {
  for (const std::string mode : {"adaptive", "mean", "percentile"}) {
    Model m;
    const auto clip = make("kind = 'zclip'\nnorm = 2\nmode = '" + mode + "'", m);
    std::vector<double> first;
    double mean = 0, variance = 0;
    int cut = 0;
    for (int step = 0; step < 150; ++step) {
      m.set(norms_at(step));
      StepState s;
      clip->compute(&s);
      const double norm = s.grad_norm;
      double bound = 2;
      if (step < 25) {
        first.push_back(norm);
        if (step == 24) {
          for (double x : first) mean += x / 25;
          for (double x : first) variance += (x - mean) * (x - mean) / 25;
        }
      } else {
        const double deviation = std::sqrt(variance), z = (norm - mean) / (deviation + 1e-6);
        double taken = norm;
        if (mode == "percentile" ? norm > mean + 2.5 * deviation : z > 2.5) {
          taken = mode == "adaptive" ? mean + 2.5 * deviation / (z / 2.5)
                  : mode == "mean"   ? mean
                                     : mean + 2.5 * deviation;
          bound = std::min(bound, taken);
          ++cut;
        }
        mean = 0.97 * mean + 0.03 * taken;
        variance = 0.97 * variance + 0.03 * (taken - mean) * (taken - mean);
      }
      EXPECT_NEAR(s.clip_coefficient, std::min(1.0, bound / (norm + 1e-6)), 2e-6) << step;
    }
    EXPECT_GT(cut, 5) << mode;
  }
}

// Algorithm 1 of arXiv 2502.11034.
TEST(AdaGc, FollowsItsAlgorithm) {
  Model m;
  const auto clip = make("kind = 'adagc'\nwarmup = 30\nnorm = 0.8", m);
  std::vector<double> average(3, INFINITY);
  int cut = 0;
  for (int step = 0; step < 150; ++step) {
    m.set(norms_at(step));
    const std::vector<double> before = {m.norm(0), m.norm(1), m.norm(2)};
    StepState s;
    clip->compute(&s);
    for (size_t k = 0; k < 3; ++k) {
      double after = before[k];
      if (step < 30) {
        after *= std::min(1.0, 0.8 / s.grad_norm);
        average[k] = std::min(average[k], after);
      } else {
        after = std::min(after, 1.05 * average[k]);
        cut += after < before[k];
        average[k] = 0.98 * average[k] + 0.02 * after;
      }
      EXPECT_NEAR(m.norm(k) * double(s.clip_coefficient), after, 1e-5 * after) << step;
    }
  }
  EXPECT_GT(cut, 20);
}

// Gradients that are 0 in the warm-up, as behind a projection that starts at 0, are not held there.
TEST(AdaGc, GradientsThatWereZeroCanGrow) {
  Model m;
  const auto clip = make("kind = 'adagc'\nwarmup = 5\nfloor = 0.01", m);
  for (int step = 0; step < 400; ++step) {
    m.set({0.3, step < 20 ? 0.0 : 0.05, 0.5});
    StepState s;
    clip->compute(&s);
    if (step == 20) {
      EXPECT_NEAR(m.norm(1), 0.0105, 1e-5);
    }
  }
  EXPECT_GT(m.norm(1), 0.014);
}

}  // namespace
}  // namespace keel::test
