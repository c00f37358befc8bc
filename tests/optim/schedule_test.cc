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

TEST(Schedule, EveryKind) {
  for (const std::string& kind : schedules().names()) {
    SCOPED_TRACE(kind);
    for (int64_t warmup : {0, 1, 10, 80}) {
      const auto s = make("kind = '" + kind + "'\nwarmup = " + std::to_string(warmup));
      for (int64_t i = 0; i < warmup; ++i) EXPECT_EQ(s->factor(i), double(i + 1) / double(warmup));
      EXPECT_EQ(s->factor(std::max<int64_t>(warmup - 1, 0)), 1);
      for (int64_t i = warmup; i < 100; ++i) {
        EXPECT_GE(s->factor(i), s->factor(i + 1));
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
  EXPECT_NE(config_error([] { make("kind = 'constant'\nfinal = 0.1"); }).find("unknown key"),
            std::string::npos);
  EXPECT_NE(config_error([] { make("kind = 'cosin'"); }).find("did you mean \"cosine\"?"),
            std::string::npos);
}

}  // namespace
}  // namespace keel::test
