#include "io/json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "io/error_text.h"

namespace keel {
namespace {

std::string refusal(std::string_view text, size_t max_bytes = kJsonMaxBytes) {
  return error_text<DataError>([&] { parse_json(text, "in.json", max_bytes); });
}

TEST(Json, DumpsOneLineInOrderOfInsertion) {
  const Json j = Json::object()
                     .set("z", 1)
                     .set("a", Json::array().push(nullptr).push(true).push("x"))
                     .set("n", -7)
                     .set("big", std::numeric_limits<uint64_t>::max())
                     .set("empty", Json::array())
                     .set("none", Json::object());
  EXPECT_EQ(
      j.dump(),
      R"({"z":1,"a":[null,true,"x"],"n":-7,"big":18446744073709551615,"empty":[],"none":{}})");
}

TEST(Json, SetReplacesAndKeepsThePlace) {
  Json j = Json::object().set("a", 1).set("b", 2);
  j.set("a", 3);
  EXPECT_EQ(j.dump(), R"({"a":3,"b":2})");
}

TEST(Json, DoublesReadBackEqual) {
  EXPECT_EQ(Json(2.0).dump(), "2.0");
  EXPECT_EQ(Json(0.1).dump(), "0.1");
  EXPECT_EQ(Json(-0.0).dump(), "-0.0");
  EXPECT_EQ(Json(1e300).dump(), "1e+300");
  for (const double v : {1.0 / 3, 5e-324, 1.7976931348623157e308, 123456789.123}) {
    EXPECT_EQ(parse_json(Json(v).dump(), "x").as_double(), v);
  }
}

TEST(Json, WhatIsNotFiniteBecomesNull) {
  EXPECT_EQ(Json(NAN).dump(), "null");
  EXPECT_EQ(Json(-INFINITY).dump(), "null");
}

TEST(Json, EscapesAndRepairsStrings) {
  EXPECT_EQ(Json("a\"\\\n\t\x01/").dump(), R"("a\"\\\n\t\u0001/")");
  EXPECT_EQ(Json("\xc3\xa4\xe2\x82\xac\xf0\x9f\x8e\x89").dump(),
            "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x8e\x89\"");
  // A stray continuation, a cut sequence, an overlong form, a surrogate.
  for (const char* bad : {"\x80", "\xe2\x82", "\xc0\xaf", "\xed\xa0\x80", "\xf5\x80\x80\x80"}) {
    const std::string text = Json(bad).dump();
    EXPECT_NE(text.find("\xef\xbf\xbd"), std::string::npos);
    EXPECT_NO_THROW(parse_json(text, "x")) << text;
  }
}

TEST(Json, ParsesEveryKind) {
  const Json j = parse_json(
      R"( {"s":"\u00e4","i":-9223372036854775808,"u":18446744073709551615,"d":1.5,"b":false,)"
      R"("n":null,"a":[1,[2]],"o":{"k":{}}} )",
      "x");
  EXPECT_EQ(j.at("s").as_string(), "\xc3\xa4");
  EXPECT_EQ(j.at("i").as_int(), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(j.at("u").as_uint(), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(j.at("d").as_double(), 1.5);
  EXPECT_FALSE(j.at("b").as_bool());
  EXPECT_TRUE(j.at("n").is_null());
  EXPECT_EQ(j.at("a").as_array()[1].as_array()[0].as_int(), 2);
  EXPECT_EQ(parse_json(j.dump(), "x"), j);
}

TEST(Json, SyntaxErrorsNameFileAndByte) {
  EXPECT_EQ(refusal("{\"a\":1,}").substr(0, 16), "in.json: byte 8:");
  EXPECT_EQ(refusal("").substr(0, 16), "in.json: byte 1:");
  EXPECT_EQ(refusal("{} x").substr(0, 16), "in.json: byte 4:");
  EXPECT_NE(refusal("{\"a\":tru}").find("invalid literal"), std::string::npos);
  EXPECT_NE(refusal("\"\xff\"").find("UTF-8"), std::string::npos);
}

TEST(Json, NumbersOutOfRangeAreRefused) {
  EXPECT_EQ(refusal("[1e400]"), "in.json: byte 6: number overflow parsing '1e400'");
}

TEST(Json, DuplicateKeysAreRefused) {
  EXPECT_EQ(refusal(R"({"a":1,"b":{"c":1,"c":2}})"), "in.json: byte 21: key \"c\" appears twice");
  EXPECT_EQ(refusal(R"({"a":{"a":1},"b":{"a":1}})"), "no error");
}

TEST(Json, DepthAndSizeAreLimited) {
  EXPECT_EQ(refusal(std::string(64, '[') + std::string(64, ']')), "no error");
  EXPECT_EQ(refusal(std::string(1'000'000, '[')), "in.json: byte 65: nested deeper than 64");
  EXPECT_EQ(refusal("[1,2,3]", 6), "in.json: 7 bytes of JSON, the largest that is read is 6");
}

TEST(Json, AccessOfAnotherKindSaysBoth) {
  const Json j = parse_json(R"({"a":[1],"n":-1,"u":18446744073709551615})", "x");
  const auto text = [](auto f) { return error_text<DataError>(f); };
  EXPECT_EQ(text([&] { j.at("a").as_string(); }), "expected a string, found an array");
  EXPECT_EQ(text([&] { j.at("a").as_int(); }), "expected an integer, found an array");
  EXPECT_EQ(text([&] { j.at("n").as_object(); }), "expected an object, found an integer");
  EXPECT_EQ(text([&] { j.at("n").as_array(); }), "expected an array, found an integer");
  EXPECT_EQ(text([&] { j.at("n").as_bool(); }), "expected a boolean, found an integer");
  EXPECT_EQ(text([&] { j.as_double(); }), "expected a number, found an object");
  EXPECT_EQ(text([&] { j.at("n").as_uint(); }), "-1 is negative");
  EXPECT_EQ(text([&] { j.at("u").as_int(); }), "18446744073709551615 is too large");
  EXPECT_EQ(text([&] { j.at("q"); }), "key \"q\" is missing");
}

}  // namespace
}  // namespace keel
