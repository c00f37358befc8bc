// docs/json.md lists the keys of --json; train_test.cc compares those of what trains.
#include <gtest/gtest.h>

#include "documented_json.h"
#include "run_keel.h"

namespace keel {
namespace {

Json json_of(std::vector<std::string> line, int code = 0) {
  line.push_back("--json");
  const ProgramEnd o = keel(std::move(line));
  EXPECT_EQ(o.code, code) << o.err;
  return last_json(o);
}

const Json& first_of(const Json& object, const std::string& key) {
  return object.at(key).as_array().at(0);
}

class DocumentedJson : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"a", "b"}) {
      const std::string seed = "train.seed=" + std::to_string(name[0]);
      const ProgramEnd o = small_.train(name, {"--quiet", "--set", "sample.tokens=0", "--set",
                                               "checkpoint.every=2", "--set", seed});
      ASSERT_EQ(o.code, 0) << o.err;
    }
  }
  std::string checkpoint(const std::string& run, int step) const {
    return small_.file(run) + "/ckpt/step-0000000" + std::to_string(step);
  }
  SmallRun small_;
};

TEST_F(DocumentedJson, Runs) {
  const Json list = json_of({"runs", "ls", small_.path()});
  expect_documented(list, "runs ls");
  expect_documented(first_of(list, "runs"), "runs ls", "runs[]");
  const Json compared = json_of({"runs", "compare", small_.file("a"), small_.file("b")});
  expect_documented(compared, "runs compare");
  expect_documented(first_of(compared, "runs"), "runs ls", "runs[]");
  expect_documented(first_of(compared, "config"), "runs compare", "config[]");
}

TEST_F(DocumentedJson, Checkpoints) {
  const Json list = json_of({"ckpt", "ls", small_.file("a")});
  expect_documented(list, "ckpt ls");
  expect_documented(first_of(list, "checkpoints"), "ckpt ls", "checkpoints[]");
  expect_documented(json_of({"ckpt", "verify", small_.file("a")}), "ckpt verify");
  expect_documented(json_of({"ckpt", "verify", small_.path()}, 3), "ckpt verify");
  const Json different = json_of({"ckpt", "diff", small_.file("a"), small_.file("b")}, 1);
  expect_documented(different, "ckpt diff");
  expect_documented(different.at("first"), "ckpt diff", "first");
  expect_documented(json_of({"ckpt", "pin", checkpoint("a", 4)}), "ckpt pin");
  expect_documented(json_of({"ckpt", "prune", small_.file("a"), "--dry-run"}), "ckpt prune");
  expect_documented(json_of({"ckpt", "prune", checkpoint("a", 2)}), "ckpt prune");
}

TEST_F(DocumentedJson, LooksAtDataAndWidths) {
  expect_documented(json_of({"data", "inspect", small_.file("text.txt")}), "data inspect");
  const Json check = json_of(
      {"coordcheck", small_.file("run.toml"), "--widths", "16,32", "--steps", "1", "--seeds", "1"});
  expect_documented(check, "coordcheck");
  expect_documented(first_of(check, "series"), "coordcheck", "series[]");
}

}  // namespace
}  // namespace keel
