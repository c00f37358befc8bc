// The experiments of recipes/ can be read and name presets that there are.
#include <gtest/gtest.h>

#include <map>

#include "lab/search/frontier_file.h"
#include "run_keel.h"

namespace keel {
namespace {

TEST(Recipes, AreValid) {
  const std::string folder = join_path(KEEL_SOURCE_DIR, "recipes");
  for (const std::string& name : real_fs().list(folder)) {
    const std::string path = join_path(folder, name);
    if (real_fs().read_file(path, kMaxTextBytes).find("[[arms]]") != std::string::npos) {
      EXPECT_NO_THROW(read_frontier(path, false)) << name;
      continue;
    }
    const ProgramEnd o = keel({"config", "check", path});
    EXPECT_EQ(o.code, 0) << name << ": " << o.err;
  }
}

TEST(Recipes, TheLadderIsOneModelButForItsMethods) {
  const FrontierPlan plan =
      read_frontier(join_path(KEEL_SOURCE_DIR, "recipes/ladder-toy.toml"), false);
  EXPECT_EQ(plan.spec.arms.size(), 12u) << "ten methods and two controls";
  EXPECT_EQ(plan.spec.seed_list().size(), 5u);
  std::map<std::string, std::string> conditions(plan.conditions.begin(), plan.conditions.end());
  EXPECT_EQ(conditions["model"], "dim 64, 4 layers, 2 heads of size 32");
  EXPECT_EQ(conditions["steps"], "600");
  EXPECT_EQ(conditions["optimizer"], "adamw");
  for (const ArmFacts& arm : plan.arms) EXPECT_EQ(arm.scale, plan.arms[0].scale);
}

TEST(Recipes, TheDemosFrontierIsSmall) {
  const FrontierPlan plan =
      read_frontier(join_path(KEEL_SOURCE_DIR, "recipes/demo-frontier.toml"), false);
  EXPECT_EQ(plan.spec.most_trials(), 45);
}

TEST(Recipes, PhenomenonIsOneModelButForItsMethod) {
  const std::string recipe = join_path(KEEL_SOURCE_DIR, "recipes/phenomenon.toml");
  const ProgramEnd shown = keel({"config", "show", recipe, "--set", "method=qk_norm"});
  ASSERT_EQ(shown.code, 0) << shown.err;
  for (const char* part : {"dim = 64", "layers = 4", "heads = 2", "steps = 600", "warmup = 60",
                           "method = \"qk_norm\"", "axis = \"head\""}) {
    EXPECT_NE(shown.out.find(part), std::string::npos) << part;
  }
}

}  // namespace
}  // namespace keel
