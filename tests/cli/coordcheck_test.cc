// keel coordcheck from the command line.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "io/json.h"
#include "run_keel.h"

namespace keel {
namespace {

// Two small widths, two steps and one seed, where `arguments` do not say otherwise.
ProgramEnd coordcheck(const SmallRun& small, const std::vector<std::string>& arguments) {
  std::vector<std::string> line{"coordcheck", small.file("run.toml")};
  line.insert(line.end(), arguments.begin(), arguments.end());
  const std::pair<const char*, const char*> defaults[] = {
      {"--widths", "32,64"}, {"--steps", "2"}, {"--seeds", "1"}};
  for (const auto& [option, value] : defaults) {
    if (std::find(arguments.begin(), arguments.end(), option) != arguments.end()) continue;
    line.insert(line.end(), {option, value});
  }
  return keel(line);
}

TEST(CoordCheck, Json) {
  const SmallRun small;
  const std::vector<std::string> before = real_fs().list(small.path());
  const ProgramEnd o = coordcheck(small, {"--json"});
  ASSERT_EQ(o.code, 0) << o.err;
  const Json j = parse_json(o.last_line(), "output");
  EXPECT_EQ(j.at("widths").as_array().size(), 2u);
  EXPECT_EQ(j.at("steps").as_int(), 2);
  EXPECT_EQ(j.at("seeds").as_int(), 1);
  double most = 0;
  for (const Json& s : j.at("series").as_array()) {
    ASSERT_EQ(s.at("activations").as_array().size(), 3u);
    EXPECT_EQ(s.at("activations").as_array()[0].as_array().size(), 2u);
    most = std::max(most, std::abs(s.at("slopes").as_array()[2].as_double()));
  }
  EXPECT_EQ(most, j.at("max_slope").as_double());
  EXPECT_EQ(real_fs().list(small.path()), before);
}

TEST(CoordCheck, TableAndPicture) {
  const SmallRun small;
  const ProgramEnd o = coordcheck(small, {"-o", small.file("widths.svg")});
  ASSERT_EQ(o.code, 0) << o.err;
  for (const char* part : {"embedding", "blocks.0.attention", "logits", "slope", "flat"}) {
    EXPECT_NE(o.out.find(part), std::string::npos) << part << " in " << o.out;
  }
  EXPECT_NE(o.err.find("widths.svg"), std::string::npos);
  const std::string svg = real_fs().read_file(small.file("widths.svg"), kMaxTextBytes);
  EXPECT_TRUE(svg.starts_with("<svg "));
}

TEST(CoordCheck, BadArguments) {
  const SmallRun small;
  const auto refused = [&](const std::vector<std::string>& arguments, const std::string& text) {
    const ProgramEnd o = coordcheck(small, arguments);
    EXPECT_EQ(o.code, 2);
    EXPECT_NE(o.err.find(text), std::string::npos) << o.err << "\nlacks\n" << text;
    EXPECT_EQ(o.out, "");
  };
  refused({"--widths", "32"}, "--widths: must be two or more that grow, as in 64,128; are 32");
  refused({"--widths", "64,32"}, "are 64,32");
  refused({"--widths", "0,32"}, "are 0,32");
  refused({"--widths", "32,33"}, "would not be whole at 33: heads keep their size");
  refused({"--steps", "0"}, "--steps: must be at least 1, is 0");
  refused({"--seeds", "0"}, "--seeds: must be at least 1, is 0");
  refused({"-o", "widths.png"}, "-o: the picture is an .svg file, is widths.png");
  refused({"--set", "model.dmi=3"}, "did you mean \"dim\"?");
}

}  // namespace
}  // namespace keel
