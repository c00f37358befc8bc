#include <gtest/gtest.h>

#include <limits>

#include "config/example.h"
#include "config/print.h"

namespace keel {
namespace {

using namespace example;

TEST(Schema, RangesDefaultsAndDocs) {
  EXPECT_EQ(
      to_json_schema(SourceConfig(), "source"),
      R"({"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "source", )"
      R"("type": "object", "properties": {)"
      R"("base": {"type": "string", "description": "a config file whose values this one )"
      R"(overrides"}, "set": {"type": "object", "description": "values over those of the file, )"
      R"(by dotted key"}, )"
      R"("path": {"type": "string", "description": "file or folder", "default": ""}, )"
      R"("weight": {"type": "number", "exclusiveMinimum": 0, "description": "share among the )"
      R"(sources", "default": 1.0}, )"
      R"("name": {"type": "string", "description": "in reports", "default": ""}}, )"
      R"("additionalProperties": false})"
      "\n");
}

TEST(Schema, EachKindIsAClosedObject) {
  const std::string s = to_json_schema(RunConfig(), "run");
  const auto has = [&](const char* text) { return s.find(text) != s.npos; };
  EXPECT_TRUE(
      has(R"("norm": {"type": "object", "description": "normalisation", "oneOf": [)"
          R"({"properties": {"kind": {"const": "layer", "description": "normalisation"}, )"
          R"("eps": {"type": "number", "minimum": 0, "description": "added to the variance", )"
          R"("default": 1e-05}, "bias": {"type": "boolean", "description": "learn an offset", )"
          R"("default": true}}, "additionalProperties": false, "required": ["kind"]}, )"
          R"({"properties": {"kind": {"const": "rms", "description": "normalisation"}, )"
          R"("eps": {"type": "number", "minimum": 0, "description": "added to the mean square", )"
          R"("default": 1e-06}}, "additionalProperties": false}]})"))
      << s;
  EXPECT_TRUE(has(R"({"properties": {"lr": {"type": "number", "exclusiveMinimum": 0, )"
                  R"("description": "peak rate", "default": 0.001}, "kind": {"const": "sgd")"));
  EXPECT_TRUE(has(R"("betas": {"type": "array", "items": {"type": "number", "minimum": 0, )"
                  R"("exclusiveMaximum": 1}, "minItems": 2, "maxItems": 2, "description": )"
                  R"("decay of the two moments", "default": [0.9, 0.95]})"));
  EXPECT_TRUE(has(R"("decay": {"type": "string", "enum": ["rate", "independent"])"));
  EXPECT_TRUE(has(R"("tags": {"anyOf": [{"type": "string"}, {"type": "array", "items": )"
                  R"({"type": "string"}}], "description": "words for the run list", )"
                  R"("default": []})"));
  EXPECT_TRUE(has(R"("sources": {"type": "array", "description": "weighted sources", "items": )"
                  R"({"type": "object", "properties": {"path")"));
  EXPECT_TRUE(has(R"("dim": {"type": "integer", "minimum": 1)"));
}

TEST(Schema, DefaultsThatJsonCannotSayAreLeftOut) {
  TrainConfig c;
  c.clip = std::numeric_limits<double>::infinity();
  EXPECT_EQ(to_json_schema(c, "t").find("inf"), std::string::npos);
}

TEST(Schema, BracketsBalance) {
  int depth = 0;
  bool text = false, escaped = false;
  for (const char c : to_json_schema(RunConfig(), "a \"title\"")) {
    if (text) {
      if (!escaped && c == '"') text = false;
      escaped = !escaped && c == '\\';
      continue;
    }
    if (c == '"') text = true;
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
    ASSERT_GE(depth, 0);
  }
  EXPECT_EQ(depth, 0);
}

}  // namespace
}  // namespace keel
