#include "io/utf8.h"

#include <gtest/gtest.h>

namespace keel::test {
namespace {

TEST(Utf8, OnlyWellFormedUtf8IsKept) {
  EXPECT_EQ(valid_utf8("h\xC3\xA9 \xF0\x9F\x98\x80"), "h\xC3\xA9 \xF0\x9F\x98\x80");
  const std::string mark = "\xEF\xBF\xBD";
  EXPECT_EQ(valid_utf8("a\xFF"), "a" + mark);
  EXPECT_EQ(valid_utf8("\xC0\xAF"), mark + mark);             // overlong
  EXPECT_EQ(valid_utf8("\xED\xA0\x80"), mark + mark + mark);  // surrogate
  EXPECT_EQ(valid_utf8("\xF4\x90\x80\x80"), mark + mark + mark + mark);
  EXPECT_EQ(valid_utf8("\xE2\x82"), mark + mark);  // cut off
}

TEST(Utf8, TextIsCutBetweenCharacters) {
  EXPECT_EQ(shortened("abc", 3), "abc");
  EXPECT_EQ(shortened("abcd", 3), "abc…");
  EXPECT_EQ(shortened("abé", 3), "ab…");
  EXPECT_EQ(shortened("\xF0\x9F\x98\x80", 3), "…");
  EXPECT_EQ(shortened("a\xFF", 4), "a\xEF\xBF\xBD");
}

}  // namespace
}  // namespace keel::test
