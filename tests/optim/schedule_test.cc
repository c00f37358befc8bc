#include "optim/schedule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "config/load.h"
#include "core/error.h"
#include "harness/golden.h"

namespace keel::test {
namespace {

std::unique_ptr<Schedule> make(const std::string& toml, int64_t train_steps = 100) {
  ScheduleConfig config;
  load_config_text("test.toml", toml, {}, config);
  return make_schedule(config, train_steps);
}

template <class F>
std::string config_error(F&& f) {
  try {
    f();
  } catch (const ConfigError& e) {
    return e.what();
  }
  return "nothing was thrown";
}

bool rises_by_itself(const std::string& kind) {
  return kind == "slanted_triangular" || kind == "one_cycle";
}

TEST(Schedule, EveryKind) {
  for (const std::string& kind : schedules().names()) {
    if (rises_by_itself(kind)) continue;
    SCOPED_TRACE(kind);
    for (int64_t warmup : {0, 1, 10, 80}) {
      const auto s = make("kind = '" + kind + "'\nwarmup = " + std::to_string(warmup));
      for (int64_t i = 0; i < warmup; ++i) EXPECT_EQ(s->factor(i), double(i + 1) / double(warmup));
      EXPECT_EQ(s->factor(std::max<int64_t>(warmup - 1, 0)), 1);
      for (int64_t i = warmup; i < 100; ++i) {
        if (kind != "sgdr") {
          EXPECT_GE(s->factor(i), s->factor(i + 1));
        }
        EXPECT_GE(s->factor(i + 1), 0);
        EXPECT_LE(s->factor(i), 1);
      }
      for (int64_t i : {101, 200, 1000000}) EXPECT_EQ(s->factor(i), s->factor(100));
    }
  }
}

// Values that pen and paper give.
TEST(Schedule, KnownValues) {
  const auto cosine = make("kind = 'cosine'\nwarmup = 20\nfinal = 0.2");
  EXPECT_DOUBLE_EQ(cosine->factor(0), 0.05);
  EXPECT_DOUBLE_EQ(cosine->factor(19), 1);
  EXPECT_DOUBLE_EQ(cosine->factor(20), 1);
  EXPECT_NEAR(cosine->factor(60), 0.6, 1e-15);
  EXPECT_NEAR(cosine->factor(40), 0.2 + 0.8 * (1 + std::sqrt(0.5)) / 2, 1e-15);
  EXPECT_NEAR(cosine->factor(100), 0.2, 1e-15);
  const auto linear = make("kind = 'linear'\nwarmup = 20\nfinal = 0.2");
  EXPECT_DOUBLE_EQ(linear->factor(40), 0.8);
  EXPECT_DOUBLE_EQ(linear->factor(100), 0.2);
  const auto wsd = make("kind = 'wsd'\nwarmup = 20\nfinal = 0.2\ndecay = 0.4");
  EXPECT_EQ(wsd->factor(20), 1);
  EXPECT_EQ(wsd->factor(60), 1);
  EXPECT_DOUBLE_EQ(wsd->factor(70), 0.8);
  EXPECT_DOUBLE_EQ(wsd->factor(100), 0.2);
  const auto root = make("kind = 'inverse_sqrt'\nwarmup = 16");
  EXPECT_EQ(root->factor(15), 1);
  EXPECT_EQ(root->factor(63), 0.5);
  EXPECT_EQ(make("kind = 'inverse_sqrt'")->factor(3), 0.5);
  EXPECT_EQ(make("kind = 'constant'")->factor(77), 1);
}

TEST(Schedule, Defaults) {
  EXPECT_EQ(ScheduleConfig{}.kind.kind(), "cosine");
  const auto s = make("");
  EXPECT_EQ(s->factor(0), 1);
  EXPECT_NEAR(s->factor(100), 0.1, 1e-15);
  const auto wsd = make("kind = 'wsd'");
  EXPECT_EQ(wsd->factor(80), 1);
  EXPECT_DOUBLE_EQ(wsd->factor(90), 0.55);
}

TEST(Schedule, NoJumps) {
  for (const char* kind : {"cosine", "linear", "wsd"}) {
    const auto s = make("kind = '" + std::string(kind) + "'\nwarmup = 100", 1000);
    for (int64_t i = 0; i < 1100; ++i) {
      EXPECT_LT(std::abs(s->factor(i + 1) - s->factor(i)), 0.0101) << kind << " at " << i;
    }
  }
}

// Steps of a growing batch are fractions of a step; the shape between two whole ones is monotone.
TEST(Schedule, FractionsOfAStep) {
  for (const std::string& kind : schedules().names()) {
    const bool rises = rises_by_itself(kind);
    const auto s = make("kind = '" + kind + "'\nwarmup = " + (rises ? "0" : "10"));
    for (double t = -0.75; t < 12; t += 0.25) {
      EXPECT_GE(s->factor(t), 0) << kind;
      EXPECT_LE(s->factor(t), 1) << kind;
      if (!rises && t < 9) {
        EXPECT_NEAR(s->factor(t), (t + 1) / 10, 1e-15) << kind;
      }
    }
  }
}

TEST(Sgdr, RestartsAtThePeak) {
  const auto s = make("kind = 'sgdr'\nwarmup = 5\nt0 = 10\nt_mult = 2\nfinal = 0.1", 155);
  for (const int64_t start : {5, 15, 35, 75}) {
    EXPECT_EQ(s->factor(start), 1);
    if (start > 5) {
      EXPECT_NEAR(s->factor(start - 1), 0.1, 0.9 * 0.025);
    }
  }
  EXPECT_NEAR(s->factor(10), 0.55, 1e-15);
  EXPECT_NEAR(s->factor(25), 0.55, 1e-15);
  EXPECT_NEAR(s->factor(55), 0.55, 1e-15);
  EXPECT_NEAR(s->factor(155), 0.1, 1e-15);  // the end of the fourth cycle, not a fifth
  const auto even = make("kind = 'sgdr'\nt0 = 4\nt_mult = 1");
  for (int64_t i = 0; i < 96; ++i) EXPECT_EQ(even->factor(i), even->factor(i + 4));
  EXPECT_NEAR(even->factor(3), 0.5 * (1 + std::cos(0.75 * M_PI)), 1e-15);
  const auto plain = make("kind = 'sgdr'", 150);  // (10, 2) of the paper
  for (const int64_t start : {0, 10, 30, 70}) EXPECT_EQ(plain->factor(start), 1);
}

TEST(SlantedTriangular, PeakAtTheCutAndARatioAtBothEnds) {
  const auto s = make("kind = 'slanted_triangular'", 200);
  EXPECT_EQ(s->factor(0), 1.0 / 32);
  EXPECT_EQ(s->factor(20), 1);
  EXPECT_NEAR(s->factor(200), 1.0 / 32, 1e-15);
  EXPECT_NEAR(s->factor(10), (1 + 0.5 * 31) / 32, 1e-15);
  EXPECT_NEAR(s->factor(110), (1 + 0.5 * 31) / 32, 1e-15);
  const auto odd = make("kind = 'slanted_triangular'\ncut_frac = 0.3\nratio = 10", 7);
  EXPECT_EQ(odd->factor(2), 1);
  EXPECT_EQ(odd->factor(7), 0.1);
}

TEST(OneCycle, RisesOnceAndFallsFar) {
  const auto s = make("kind = 'one_cycle'");
  EXPECT_NEAR(s->factor(0), 1.0 / 25, 1e-15);
  EXPECT_NEAR(s->factor(15), (1 + 1.0 / 25) / 2, 1e-15);
  EXPECT_EQ(s->factor(30), 1);
  EXPECT_NEAR(s->factor(65), (1 + 4e-6) / 2, 1e-15);
  EXPECT_NEAR(s->factor(100), 4e-6, 1e-15);
  for (int64_t i = 0; i < 100; ++i) {
    EXPECT_EQ(s->factor(i) < s->factor(i + 1), i < 30) << i;
    EXPECT_LT(std::abs(s->factor(i + 1) - s->factor(i)), 0.06) << i;
  }
}

TEST(OneCycle, MomentumFallsWhileTheRateRises) {
  EXPECT_EQ(make("kind = 'one_cycle'")->momentum(10), std::nullopt);
  EXPECT_EQ(make("kind = 'cosine'")->momentum(10), std::nullopt);
  const auto s = make("kind = 'one_cycle'\ncycle_momentum = true\nmomentum_low = 0.8");
  EXPECT_NEAR(*s->momentum(0), 0.95, 1e-15);
  EXPECT_NEAR(*s->momentum(15), 0.875, 1e-15);
  EXPECT_NEAR(*s->momentum(30), 0.8, 1e-15);
  EXPECT_NEAR(*s->momentum(65), 0.875, 1e-15);
  for (const double t : {100.0, 101.0, 1e6}) EXPECT_NEAR(*s->momentum(t), 0.95, 1e-15);
  for (int64_t i = 0; i < 100; ++i) {
    EXPECT_EQ(*s->momentum(i) > *s->momentum(i + 1), i < 30) << i;
  }
}

TEST(Noam, IsThePapersFormula) {
  ScheduleConfig config;
  load_config_text("test.toml", "kind = 'noam'\nwarmup = 16", {}, config);
  const auto s = make_schedule(config, 100, 64);
  for (int64_t i = 0; i < 100; ++i) {
    const double t = double(i + 1);
    EXPECT_NEAR(s->factor(i) * s->scale(),
                std::pow(64, -0.5) * std::min(std::pow(t, -0.5), t * std::pow(16, -1.5)), 1e-15);
  }
  EXPECT_EQ(s->factor(15), 1);
  EXPECT_EQ(make("kind = 'noam'\nwarmup = 4\ndim = 25")->scale(), 0.1);
}

// More steps of training hold the final rate: the length stays what it was at first.
TEST(Schedule, LengthIsFixed) {
  const auto first = make("kind = 'cosine'", 50), resumed = make("kind = 'cosine'\nsteps = 50", 80);
  for (int64_t i = 0; i < 80; ++i) EXPECT_EQ(first->factor(i), resumed->factor(i));
}

TEST(Schedule, AgainstPyTorch) {
  const Golden golden("optim.safetensors");
  const auto compare = [&](const std::string& name, const std::string& toml) {
    const auto expected = golden.doubles("schedule." + name);
    const auto s = make(toml, 10);
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_NEAR(s->factor(int64_t(i)), expected[i], 1e-12) << name << " at " << i;
    }
  };
  compare("cosine", "kind = 'cosine'");
  compare("linear", "kind = 'linear'");
  compare("constant", "kind = 'constant'\nwarmup = 4");
  compare("one_cycle", "kind = 'one_cycle'");
  const auto momentum = golden.doubles("schedule.one_cycle.momentum");
  const auto s = make("kind = 'one_cycle'\ncycle_momentum = true", 10);
  for (size_t i = 0; i < momentum.size(); ++i) {
    EXPECT_NEAR(*s->momentum(double(i)), momentum[i], 1e-12) << i;
  }
}

TEST(Schedule, Errors) {
  EXPECT_EQ(config_error([] { make("warmup = 101"); }),
            "schedule: 101 warm-up steps do not fit into 100 steps; set schedule.warmup or "
            "schedule.steps");
  EXPECT_EQ(config_error([] { make("kind = 'wsd'\nwarmup = 60\ndecay = 0.5"); }),
            "schedule: 60 warm-up steps and 50 steps of decay (schedule.decay = 0.5) do not fit "
            "into 100 steps");
  EXPECT_EQ(config_error([] { make("warmup = 30\nsteps = 20"); }),
            "test.toml:1:10: warmup: 30 is more than schedule.steps = 20");
  EXPECT_EQ(config_error([] { make("kind = 'one_cycle'\nwarmup = 3"); }),
            "schedule: one_cycle rises by itself; set schedule.warmup = 0 (it is 3)");
  EXPECT_EQ(config_error([] { make("kind = 'slanted_triangular'\nwarmup = 1"); }),
            "schedule: slanted_triangular rises by itself; set schedule.warmup = 0 (it is 1)");
  EXPECT_EQ(config_error([] { make("kind = 'one_cycle'\nmomentum_low = 0.96"); }),
            "test.toml:2:16: momentum_low: 0.96 is more than schedule.momentum_high = 0.95");
  EXPECT_NE(config_error([] { make("kind = 'constant'\nfinal = 0.1"); }).find("unknown key"),
            std::string::npos);
  EXPECT_NE(config_error([] { make("kind = 'cosin'"); }).find("did you mean \"cosine\"?"),
            std::string::npos);
}

}  // namespace
}  // namespace keel::test
