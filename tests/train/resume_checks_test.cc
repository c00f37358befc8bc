// What a resumed run compares with the run that it goes on with: its data, and the program,
// libraries and processor that it was made with.
#include <gtest/gtest.h>

#include "harness/expect_error.h"
#include "io/error_text.h"
#include "small_session.h"
#include "train/environment.h"
#include "train/resume_environment.h"

namespace keel::test {
namespace {

// A run of a text that has been stopped after a step.
class ChangedData : public testing::Test {
 protected:
  void begin(const std::string& path) {
    Watcher w;
    w.stop_after = 1;
    Session s = create_session(real_fs(), folder_ / "run.toml", {"data.path=\"" + path + "\""},
                               folder_ / "a");
    run(s, w);
  }
  std::string refusal(const std::vector<std::string>& sets = {}) {
    const std::string config = real_fs().read_file(folder_ / "a/config.toml", kMaxTextBytes);
    const std::string text =
        error_text<DataError>([&] { resume_session(real_fs(), folder_ / "a", sets); });
    if (text == "no error") return text;
    EXPECT_EQ(real_fs().read_file(folder_ / "a/config.toml", kMaxTextBytes), config);
    return text;
  }
  std::string text(const std::string& changes) {
    return "the data of " + (folder_ / "a") + " is not what it was when the run began:\n  " +
           changes +
           "\nput it back as it was, or go on with it by --changed-data: bits will then differ "
           "from those of the unbroken run";
  }
  std::string content() { return real_fs().read_file(folder_ / "text.txt", kMaxTextBytes); }

  Folder folder_;
};

TEST_F(ChangedData, IsRefusedNamingTheFileAndWhatChanged) {
  const std::string path = folder_ / "text.txt", was = content();
  begin(path);
  EXPECT_EQ(refusal(), "no error");
  const std::string tokens = std::to_string(was.size());
  overwrite(path, was + "more");
  EXPECT_EQ(refusal(),
            text(path + ": " + std::to_string(was.size() + 4) + " tokens, was " + tokens));
  std::string other = was;
  other[600] = static_cast<char>(other[600] ^ 1);
  overwrite(path, other);
  EXPECT_EQ(refusal(), text(path + ": another content of the same length"));
  overwrite(path, was);
  EXPECT_EQ(refusal(), "no error");
}

TEST_F(ChangedData, IsAcceptedWhenAskedForAndSaysThatBitsWillDiffer) {
  const std::string path = folder_ / "text.txt";
  begin(path);
  overwrite(path, content() + "more");
  Session s = resume_session(real_fs(), folder_ / "a", {}, true);
  ASSERT_EQ(s.warnings.size(), 1u);
  EXPECT_TRUE(s.warnings[0].ends_with("\nbits will differ from those of the unbroken run"));
  EXPECT_NE(s.warnings[0].find(path + ": "), std::string::npos);
  s = {};
  EXPECT_TRUE(resume_session(real_fs(), folder_ / "a", {}).warnings.empty())
      << "from then on it is the run's data";
}

TEST_F(ChangedData, FilesOfAFolderComeAndGo) {
  const std::string data = folder_ / "data";
  real_fs().make_dir(data);
  real_fs().write_file(data + "/a.txt", content());
  real_fs().write_file(data + "/b.txt", content());
  begin(data);
  real_fs().write_file(data + "/c.txt", content());
  EXPECT_EQ(refusal(), text(data + "/c.txt: is new"));
  real_fs().remove_file(data + "/c.txt");
  real_fs().remove_file(data + "/b.txt");
  EXPECT_EQ(refusal(), text(data + "/b.txt: is no longer read"));
}

TEST_F(ChangedData, MayMoveToAnotherFolder) {
  begin(folder_ / "text.txt");
  real_fs().make_dir(folder_ / "moved");
  real_fs().rename(folder_ / "text.txt", folder_ / "moved/text.txt");
  EXPECT_EQ(refusal({"data.path=\"" + (folder_ / "moved/text.txt") + "\""}), "no error");
}

TEST_F(ChangedData, WhatIsMadeOfItCountsToo) {
  begin(folder_ / "text.txt");
  EXPECT_EQ(refusal({"data.split=0.2"}),
            text("what [data] makes of it: sources and their weights, the split, the tokenizer, or "
                 "the language that generates it"));
}

TEST_F(ChangedData, WithoutTheRecordItIsSaidThatNobodyKnows) {
  begin(folder_ / "text.txt");
  real_fs().remove_file(folder_ / "a/data.json");
  Session s = resume_session(real_fs(), folder_ / "a", {});
  EXPECT_TRUE(noted(s, "data.json: missing, so whether the data has changed is not known"));
  s = {};
  real_fs().write_file(folder_ / "a/data.json", "{");
  EXPECT_TRUE(noted(resume_session(real_fs(), folder_ / "a", {}),
                    "whether the data has changed is not known: "));
}

TEST(ResumeEnvironment, OneWarningNamesAllThatDiffers) {
  const Json a = describe_environment("2.6.3", 2), b = describe_environment("3.0.0", 1);
  EXPECT_EQ(check_environment(a.dump(), "env.json", a).warning, "");
  EXPECT_EQ(check_environment(a.dump(), "env.json", a).json, "");
  const EnvironmentCheck first = check_environment(a.dump(), "env.json", b);
  const std::string text =
      "the run was made with another program, library or processor, so bits may differ from those "
      "of the unbroken run: onednn: 2.6.3, now 3.0.0";
  EXPECT_EQ(first.warning, text);
  // Said again by a later resume, though nothing has changed since the last one.
  const EnvironmentCheck second = check_environment(first.json, "env.json", b);
  EXPECT_EQ(second.warning, text);
  EXPECT_EQ(second.json, "");
  Json c = b, bits = b.at("bits");
  c.set("bits", bits.set("compiler", "cc 1").set("build", "abc"));
  const EnvironmentCheck third = check_environment(first.json, "env.json", c);
  EXPECT_NE(third.warning.find("build: " + b.at("bits").at("build").as_string() + ", now abc; "),
            std::string::npos)
      << third.warning;
  EXPECT_NE(third.warning.find("onednn: 2.6.3, now 3.0.0"), std::string::npos) << third.warning;
}

TEST(ResumeEnvironment, ADamagedRecordIsSaid) {
  const Json now = describe_environment("2.6.3", 2);
  const EnvironmentCheck check = check_environment("{", "env.json", now);
  EXPECT_TRUE(check.warning.starts_with("what the run was made with is not known, so bits may"))
      << check.warning;
  EXPECT_EQ(check.json, now.dump());
}

TEST(ResumeEnvironment, AResumedSessionWarnsAndSaysTheStateItHas) {
  const Folder folder;
  Watcher w;
  w.stop_after = 2;
  {
    Session s = create_session(real_fs(), folder / "run.toml", {}, folder / "a");
    run(s, w);
  }
  const std::string path = folder / "a/env.json";
  Json env = parse_json(real_fs().read_file(path, kMaxTextBytes), path);
  Json bits = env.at("bits");
  overwrite(path, env.set("bits", bits.set("cpu", "another")).dump());
  Session s = resume_session(real_fs(), folder / "a", {});
  ASSERT_EQ(s.warnings.size(), 1u);
  EXPECT_NE(s.warnings[0].find("cpu: another, now " + cpu_model()), std::string::npos);
  EXPECT_TRUE(noted(s, "resuming at step 2 from "));
  EXPECT_TRUE(noted(s, " s ago, every byte verified, state xxh3 "));
}

}  // namespace
}  // namespace keel::test
