// The experiments of recipes/ can be read and name presets that there are.
#include <gtest/gtest.h>

#include "run_keel.h"

namespace keel {
namespace {

TEST(Recipes, AreValid) {
  const std::string folder = join_path(KEEL_SOURCE_DIR, "recipes");
  for (const std::string& name : real_fs().list(folder)) {
    const Outcome o = keel({"config", "check", join_path(folder, name)});
    EXPECT_EQ(o.code, 0) << name << ": " << o.err;
  }
}

TEST(Recipes, PhenomenonIsOneModelButForItsMethod) {
  const std::string recipe = join_path(KEEL_SOURCE_DIR, "recipes/phenomenon.toml");
  const Outcome shown = keel({"config", "show", recipe, "--set", "method=qk_norm"});
  ASSERT_EQ(shown.code, 0) << shown.err;
  for (const char* part : {"dim = 64", "layers = 4", "heads = 2", "steps = 600", "warmup = 60",
                           "method = \"qk_norm\"", "axis = \"head\""}) {
    EXPECT_NE(shown.out.find(part), std::string::npos) << part;
  }
}

}  // namespace
}  // namespace keel
