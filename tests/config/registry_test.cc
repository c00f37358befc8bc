#include "config/registry.h"

#include <gtest/gtest.h>

#include "config/example.h"

namespace keel {
namespace {

using namespace example;

std::string unknown(std::string_view name) {
  try {
    norms().index(name);
  } catch (const ConfigError& e) {
    return e.what();
  }
  return "no error";
}

TEST(Registry, ListsItsTable) {
  EXPECT_EQ(norms().family(), "norm");
  EXPECT_EQ(norms().names(), (std::vector<std::string>{"layer", "rms"}));
  EXPECT_TRUE(norms().known("rms"));
  EXPECT_FALSE(norms().known("RMS"));
  EXPECT_EQ(norms().doc("rms"), "root mean square");
  EXPECT_EQ(dynamic_cast<RmsNorm::Config&>(*norms().defaults("rms")).eps, 1e-6);
}

TEST(Registry, UnknownNames) {
  EXPECT_EQ(unknown("rmz"), "unknown norm \"rmz\", did you mean \"rms\"? (known: layer rms)");
  EXPECT_EQ(unknown("batch"), "unknown norm \"batch\" (known: layer rms)");
  EXPECT_EQ(unknown(""), "unknown norm \"\" (known: layer rms)");
  EXPECT_THROW(norms().make("no", NormArgs{}), ConfigError);
  EXPECT_THROW(NormChoice(norms(), "none"), ConfigError);
}

TEST(Registry, BuildsTheChoiceWithItsOptions) {
  NormChoice choice(norms(), "layer");
  choice.options_as<LayerNorm::Config>().bias = false;
  EXPECT_EQ(norms().make(choice, NormArgs{8})->describe(), "layer 8");
  EXPECT_EQ(norms().make("layer", NormArgs{8})->describe(), "layer 8 with bias");
  EXPECT_THROW(choice.options_as<RmsNorm::Config>(), std::bad_cast);
}

TEST(Registry, NoneBuildsNothing) {
  NormChoice choice(norms(), "none", None::kAllowed);
  EXPECT_TRUE(choice.is_none());
  EXPECT_EQ(choice.kinds(), (std::vector<std::string>{"none", "layer", "rms"}));
  EXPECT_EQ(norms().make(choice, NormArgs{8}), nullptr);
  EXPECT_TRUE(NormChoice(choice).is_none());
}

TEST(Choice, CopiesAreDeep) {
  NormChoice a(norms(), "rms");
  a.options_as<RmsNorm::Config>().eps = 0.5;
  NormChoice b = a;
  b.options_as<RmsNorm::Config>().eps = 0.25;
  EXPECT_EQ(a.options_as<RmsNorm::Config>().eps, 0.5);
  a = b;
  b.select("layer");
  EXPECT_EQ(a.kind(), "rms");
  EXPECT_EQ(a.options_as<RmsNorm::Config>().eps, 0.25);
  EXPECT_EQ(b.kind(), "layer");
}

TEST(Choice, AFailedSelectChangesNothing) {
  NormChoice a(norms(), "rms");
  a.options_as<RmsNorm::Config>().eps = 0.5;
  EXPECT_THROW(a.select("rmz"), ConfigError);
  EXPECT_EQ(a.kind(), "rms");
  EXPECT_EQ(a.options_as<RmsNorm::Config>().eps, 0.5);
}

TEST(Config, StructsAreValues) {
  RunConfig a;
  a.model.norm.select("layer");
  RunConfig b = a;
  b.model.norm.select("rms");
  EXPECT_EQ(a.model.norm.kind(), "layer");
}

}  // namespace
}  // namespace keel
