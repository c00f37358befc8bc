#include <gtest/gtest.h>

#include "config/example.h"
#include "harness/config_coverage.h"

namespace keel {
namespace {

using namespace example;
using harness::config_holes;

struct Forgetful final : Config {
  int64_t a = 0, forgotten = 0, b = 0;
  void fields(Fields& f) override {
    f("a", a, "");
    f("b", b, "");
  }
};
struct ForgetsTheLast final : Config {
  int64_t a = 0;
  std::string forgotten;
  void fields(Fields& f) override { f("a", a, ""); }
};
struct Outer final : Config {
  bool flag = false;
  Forgetful inner;
  std::vector<ForgetsTheLast> list;
  void fields(Fields& f) override {
    f("flag", flag, "");
    f("inner", inner, "");
    f("list", list, "");
  }
};
struct ForgetfulNorm final : Norm {
  using Config = Forgetful;
  ForgetfulNorm(const Config&, const NormArgs&) {}
  std::string describe() const override { return ""; }
};
struct WithVariant final : Config {
  static const Registry<Norm, const NormArgs&>& registry() {
    using R = Registry<Norm, const NormArgs&>;
    static const R r{"norm", {R::entry<RmsNorm>("rms", ""), R::entry<ForgetfulNorm>("bad", "")}};
    return r;
  }
  NormChoice norm{registry(), "rms"};
  void fields(Fields& f) override { f("norm", norm, ""); }
};

TEST(Coverage, TheExampleIsComplete) { harness::expect_all_walked<RunConfig>("run"); }

TEST(Coverage, FindsForgottenMembers) {
  using Lines = std::vector<std::string>;
  EXPECT_EQ(config_holes<Forgetful>("f"), Lines{"f: bytes 16 to 24 are not walked"});
  EXPECT_EQ(config_holes<ForgetsTheLast>("f"), Lines{"f: bytes 16 to 48 are not walked"});
  EXPECT_EQ(config_holes<Outer>("o"), (Lines{"o.list[i]: bytes 16 to 48 are not walked",
                                             "o: bytes 32 to 40 are not walked"}));
  EXPECT_EQ(config_holes<WithVariant>("v"),
            Lines{"v.norm of kind bad: bytes 16 to 24 are not walked"});
}

}  // namespace
}  // namespace keel
