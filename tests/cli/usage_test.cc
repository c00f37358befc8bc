// What the command line takes, and what it says when it is wrong.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "run_keel.h"

namespace keel {
namespace {

TEST(Usage, VersionNamesBuildAndLibraries) {
  const ProgramEnd o = keel({"--version"});
  EXPECT_EQ(o.code, 0);
  for (const char* part : {"keel ", "build", "instruction set", "oneDNN", "SQLite"}) {
    EXPECT_NE(o.out.find(part), std::string::npos) << part << " in " << o.out;
  }
  EXPECT_EQ(o.err, "");
}

const std::vector<std::vector<std::string>> kCommands = {{},
                                                         {"train"},
                                                         {"resume"},
                                                         {"eval"},
                                                         {"generate"},
                                                         {"plan"},
                                                         {"bench"},
                                                         {"coordcheck"},
                                                         {"report"},
                                                         {"config"},
                                                         {"config", "show"},
                                                         {"runs"},
                                                         {"config", "diff"},
                                                         {"config", "check"},
                                                         {"config", "schema"},
                                                         {"runs", "ls"},
                                                         {"ckpt"},
                                                         {"ckpt", "ls"},
                                                         {"ckpt", "verify"},
                                                         {"ckpt", "diff"},
                                                         {"ckpt", "prune"},
                                                         {"ckpt", "pin"},
                                                         {"data"},
                                                         {"runs", "compare"},
                                                         {"data", "inspect"},
                                                         {"data", "show"},
                                                         {"techniques"}};

TEST(Usage, HelpFitsEightyColumnsAndNamesTheWholeCommand) {
  for (std::vector<std::string> line : kCommands) {
    std::string name = "Usage: keel";
    for (const std::string& word : line) name += " " + word;
    line.push_back("--help");
    const ProgramEnd o = keel(line);
    EXPECT_EQ(o.code, 0) << name;
    EXPECT_NE(o.out.find(name), std::string::npos) << name << " in " << o.out;
    for (size_t at = 0; at < o.out.size();) {
      const size_t end = std::min(o.out.find('\n', at), o.out.size());
      EXPECT_LE(end - at, 80u) << o.out.substr(at, end - at);
      at = end + 1;
    }
  }
}

TEST(Usage, TechniquesAreListedToldAndSuggested) {
  const ProgramEnd list = keel({"techniques"});
  EXPECT_EQ(list.code, 0);
  EXPECT_NE(list.out.find("Norm placement\n  pre_norm "), std::string::npos) << list.out;
  const ProgramEnd one = keel({"techniques", "soft_cap"});
  EXPECT_EQ(one.code, 0);
  for (const char* part : {"s = cap tanh(s / cap)", "model.attention.softcap = 0.0", "(at least 0)",
                           "[*50 tanh(s / 50)*]", "arXiv 2408.00118"}) {
    EXPECT_NE(one.out.find(part), std::string::npos) << part << " in " << one.out;
  }
  const ProgramEnd json = keel({"techniques", "--json"});
  EXPECT_TRUE(json.out.starts_with("[{\"name\":\"pre_norm\",\"family\":\"placement\",\"keys\":"))
      << json.out.substr(0, 200);
  const ProgramEnd wrong = keel({"techniques", "soft_cpa"});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_NE(wrong.err.find("unknown technique \"soft_cpa\", did you mean \"soft_cap\"?"),
            std::string::npos)
      << wrong.err;
  const ProgramEnd both = keel({"techniques", "soft_cap", "--json"});
  EXPECT_EQ(both.code, 2);
  EXPECT_NE(both.err.find("techniques: choose one of NAME, --json and --docs"), std::string::npos);
}

TEST(Usage, HelpOnATopicIsTheHelpOfTheCommand) {
  EXPECT_EQ(keel({"help", "config", "diff"}).out, keel({"config", "diff", "--help"}).out);
  EXPECT_EQ(keel({"help"}).out, keel({"--help"}).out);
  EXPECT_NE(keel({"help", "keys"}).out.find("model.dim = 128"), std::string::npos);
  const ProgramEnd codes = keel({"help", "exit-codes"});
  for (const char* code : {"\n  2 ", "\n  3 ", "\n 20 ", "\n 71 ", "\n 74 ", "\n 75 ", "\n130 "}) {
    EXPECT_NE(codes.out.find(code), std::string::npos) << code;
  }
}

struct Mistake {
  std::vector<std::string> line;
  const char* error;
};

TEST(Usage, MistakesEndWithTwoAndASuggestion) {
  const Mistake mistakes[] = {
      {{"trian"}, "keel: unknown command \"trian\", did you mean \"train\"? (known: train "},
      {{"config", "chekc", "x"}, "keel: unknown command \"chekc\", did you mean \"check\"?"},
      {{"train", "x.toml", "--jsn"},
       "keel: unexpected option \"--jsn\", did you mean \"--json\"?; keel train --help lists"},
      {{"generate", "x", "--tmep=3"}, "unexpected option \"--tmep\", did you mean \"--temp\"?"},
      {{"train", "a", "b"}, "keel: unexpected argument \"b\"; keel train --help lists"},
      {{"train"}, "keel: CONFIG is required; see keel train --help"},
      {{"eval", "run"}, "keel: --data is required; see keel eval --help"},
      {{"bench", "--steps", "abc", "x"}, "--steps = abc; see keel bench --help"},
      {{"bench", "--steps", "0", "x"}, "keel: --steps: must be at least 1, is 0"},
      {{"bench", "--steps", "9223372036854775807", "x"},
       "keel: --steps: must be at most 1000000000000, is 9223372036854775807"},
      {{"coordcheck", "--widths", "64,9223372036854775807", "x"},
       "keel: --widths: must be at most 16777216, is 9223372036854775807"},
      {{"data", "show", "x", "--step", "9223372036854775807"},
       "keel: --step: must be at most 1000000000000, is 9223372036854775807"},
      {{"bench", "--discard", "-1", "x"}, "keel: --discard: must be at least 0, is -1"},
      {{"runs"}, "subcommand is required; see keel runs --help"},
      {{}, "keel: no command; one of: train resume eval"},
      {{"help", "trian"}, "keel: help: no topic \"trian\", did you mean \"train\"?"},
      {{"data", "show", "x", "--step", "0"}, "keel: --step: must be at least 1, is 0"},
      {{"generate", "x", "--top-p", "2"}, "keel: --top-p: must be above 0 and at most 1"},
  };
  for (const Mistake& m : mistakes) {
    const ProgramEnd o = keel(m.line);
    EXPECT_EQ(o.code, 2) << o.err;
    EXPECT_NE(o.err.find(m.error), std::string::npos) << o.err << " lacks " << m.error;
    EXPECT_EQ(o.out, "");
  }
}

TEST(Usage, StandardOutputThatIsFullIsAnError) {
  const std::string line = fmt::format("{} --version >/dev/full 2>/dev/null", KEEL_PROGRAM);
  const int status = std::system(line.c_str());
  EXPECT_EQ(WEXITSTATUS(status), 74);
}

}  // namespace
}  // namespace keel
