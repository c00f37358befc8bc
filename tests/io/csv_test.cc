#include "io/csv.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "io/error_text.h"

namespace keel {
namespace {

using Rows = std::vector<std::vector<std::string>>;

TEST(Csv, ReadsWhatProgramsWrite) {
  const CsvTable t = parse_csv("a,b\r\n1,2\r\n\n,\n\"x,\"\"y\"\"\nz\",3\n", "in", true);
  EXPECT_EQ(t.names, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(t.rows, (Rows{{"1", "2"}, {"", ""}, {"x,\"y\"\nz", "3"}}));
}

TEST(Csv, ALineWithoutAnEndCountsOnceItsWriterIsDone) {
  EXPECT_EQ(parse_csv("a,b\n1,2\n3,4", "in", true).rows, (Rows{{"1", "2"}, {"3", "4"}}));
  EXPECT_EQ(parse_csv("a,b\n1,2\n3,4", "in", false).rows, (Rows{{"1", "2"}}));
  EXPECT_EQ(parse_csv("a,b\n1,2\n\"3,4", "in", false).rows, (Rows{{"1", "2"}}));
}

TEST(Csv, NamesTheLineThatIsWrong) {
  const auto error = [](std::string_view text) {
    return error_text<DataError>([&] { parse_csv(text, "in", true); });
  };
  EXPECT_EQ(error(""), "in: has no line of names");
  EXPECT_EQ(error("a,b,a\n"), "in:1: the name \"a\" is there twice");
  EXPECT_EQ(error("a,b\n1,2\n3\n"), "in:3: 1 values, and 2 names");
  EXPECT_EQ(error("a,b\n1,2,3\n"), "in:2: 3 values, and 2 names");
}

}  // namespace
}  // namespace keel
