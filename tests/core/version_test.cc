#include "core/version.h"

#include <gtest/gtest.h>

#include <array>

#include "core/cpu.h"
#include "core/error.h"

namespace keel {
namespace {

TEST(Version, TextNamesEveryPart) {
  const std::string text = version_text("2.6.3 (avx2)");
  for (const std::string& part :
       {version(), build_id(), build_type(), compiler(), compiled_instruction_set(), libraries(),
        std::string("oneDNN 2.6.3 (avx2)"), std::string("CUDA ")}) {
    EXPECT_FALSE(part.empty());
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
  EXPECT_EQ(text.back(), '\n');
}

TEST(Version, LibrariesHaveNumbers) {
  for (const char* name :
       {"fmt ", "toml++ ", "nlohmann-json ", "CLI11 ", "SQLite ", "zstd ", "xxHash "}) {
    const size_t at = libraries().find(name);
    ASSERT_NE(at, std::string::npos) << name;
    EXPECT_TRUE(std::isdigit(libraries()[at + std::string(name).size()])) << libraries();
  }
}

TEST(Cpu, ThisMachineRunsWhatItBuilt) {
  EXPECT_NO_THROW(check_cpu());
#ifdef __AVX2__
  EXPECT_NE((" " + compiled_instruction_set() + " ").find(" avx2 "), std::string::npos);
#endif
#ifndef __AVX512F__
  EXPECT_EQ(compiled_instruction_set().find("avx512f"), std::string::npos);
#endif
}

TEST(Cpu, NamesWhatIsMissingAndOnlyThat) {
  const std::array<InstructionSet, 4> sets{
      {{"one", true, true}, {"two", true, false}, {"three", false, false}, {"four", true, false}}};
  try {
    check_cpu(sets);
    FAIL() << "nothing was thrown";
  } catch (const DeviceError& e) {
    EXPECT_STREQ(e.what(),
                 "this processor lacks two four, which this program was compiled for; build it "
                 "here with `make build`, or anywhere with -DKEEL_ARCH=x86-64-v3");
    EXPECT_EQ(e.exit_code(), 1);
  }
}

}  // namespace
}  // namespace keel
