#include "io/safetensors.h"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>

#include "io/error_text.h"
#include "io/hash.h"
#include "io/temp_dir.h"

namespace keel {
namespace {

std::string with_length(const std::string& header, const std::string& data,
                        std::optional<uint64_t> length = {}) {
  const uint64_t n = length.value_or(header.size());
  return std::string(reinterpret_cast<const char*>(&n), 8) + header + data;
}

SafetensorsHeader parse(const std::string& file) {
  return parse_safetensors(reinterpret_cast<const std::byte*>(file.data()), file.size(), "f");
}

std::string refusal(const std::string& file) {
  return error_text<DataError>([&] { parse(file); });
}

// A file of one tensor "t", from its entry in the header and its number of data bytes.
std::string one(const std::string& entry, size_t bytes) {
  return with_length("{\"t\":" + entry + "}", std::string(bytes, 'x'));
}

std::string entry(const std::string& dtype, const std::string& shape, uint64_t begin,
                  uint64_t end) {
  return "{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":[" +
         std::to_string(begin) + "," + std::to_string(end) + "]}";
}

std::string write_file(const std::string& path, const SafetensorsLayout& layout) {
  const auto file = real_fs().create(path);
  file->reserve(layout.file_bytes());
  const std::string hash = layout.write(*file).file_xxh3;
  file->close();
  return hash;
}

TEST(Safetensors, RoundTrip) {
  const TempDir dir;
  std::vector<float> a(3 * 500'000);  // several blocks
  std::iota(a.begin(), a.end(), 0.5f);
  const std::vector<uint16_t> b{1, 2, 3};
  const std::vector<int64_t> c{-5};
  const SafetensorsLayout layout({{"b", "BF16", {3}, b.data(), 6},
                                  {"a", "F32", {3, 500'000}, a.data(), a.size() * 4},
                                  {"scalar", "I64", {}, c.data(), 8},
                                  {"none", "F32", {0, 7}, nullptr, 0}},
                                 {{"format", "pt"}, {"k", "v"}}, "m");
  const std::string hash = write_file(dir / "m", layout);
  const SafetensorsFile file(dir / "m");
  EXPECT_EQ(file.file().bytes(), layout.file_bytes());
  EXPECT_EQ(hash, xxh3_hex(file.file().text()));
  EXPECT_EQ(file.metadata(), (StringPairs{{"format", "pt"}, {"k", "v"}}));
  std::vector<std::string> names;
  for (const auto& t : file.tensors()) names.push_back(t.name);
  EXPECT_EQ(names, (std::vector<std::string>{"scalar", "a", "none", "b"}));  // widest first
  std::vector<float> a2(a.size());
  file.copy_to("a", "F32", {3, 500'000}, a2.data());
  EXPECT_EQ(a, a2);
  EXPECT_EQ(file.at("a").begin % 8, 0u);
  int64_t c2 = 0;
  file.copy_to("scalar", "I64", {}, &c2);
  EXPECT_EQ(c2, -5);
  EXPECT_EQ(file.find("zzz"), nullptr);
}

TEST(Safetensors, ChecksumsOfTensors) {
  const TempDir dir;
  const std::string x = "123456789";
  const SafetensorsLayout layout({{"x", "U8", {9}, x.data(), 9}}, {}, "m");
  const auto file = real_fs().create(dir / "m");
  EXPECT_EQ(layout.write(*file).tensor_crc32c, std::vector<uint32_t>{0xe3069283});
}

TEST(Safetensors, CopyChecksNameDtypeAndShape) {
  const TempDir dir;
  const float x = 1;
  write_file(dir / "m", SafetensorsLayout({{"x", "F32", {1, 1}, &x, 4}}, {}, "m"));
  const SafetensorsFile file(dir / "m");
  float y[2];
  const auto text = [&](auto... a) {
    return error_text<DataError>([&] { file.copy_to(a..., y); });
  };
  using Shape = std::vector<int64_t>;
  EXPECT_EQ(text("y", "F32", Shape{1}), (dir / "m") + ": it has no tensor \"y\"");
  EXPECT_EQ(text("x", "F32", Shape{2}),
            (dir / "m") + ": tensor \"x\" is F32 [1, 1], expected F32 [2]");
  EXPECT_EQ(text("x", "BF16", Shape{1, 1}),
            (dir / "m") + ": tensor \"x\" is F32 [1, 1], expected BF16 [1, 1]");
}

TEST(Safetensors, WhatIsLegalIsRead) {
  EXPECT_EQ(parse(with_length("{}", "")).tensors.size(), 0u);
  EXPECT_EQ(parse(with_length("  {}  ", "")).tensors.size(), 0u);
  EXPECT_EQ(parse(one(entry("F32", "[]", 0, 4), 4)).tensors[0].shape.size(), 0u);
  EXPECT_EQ(parse(one(entry("F32", "[0,3]", 0, 0), 0)).tensors[0].bytes, 0u);
  EXPECT_EQ(parse(one(entry("F4", "[2,3]", 0, 3), 3)).tensors[0].bytes, 3u);
  EXPECT_EQ(parse(one(entry("F6_E2M3", "[4]", 0, 3), 3)).tensors[0].bytes, 3u);
}

TEST(Safetensors, HeaderRules) {
  EXPECT_EQ(refusal("1234567"), "f: 7 bytes, a safetensors file has at least 8");
  EXPECT_EQ(refusal(with_length("", "", 100'000'001)),
            "f: header of 100000001 bytes, the limit is 100000000");
  EXPECT_EQ(refusal(with_length("{}", "", 3)), "f: header of 3 bytes in a file of 10");
  EXPECT_EQ(refusal(with_length("{}", "", UINT64_MAX)),
            "f: header of 18446744073709551615 bytes, the limit is 100000000");
  EXPECT_EQ(refusal(with_length("{\"a\"", "")), "f: byte 5: unexpected end of input; expected ':'");
  EXPECT_NE(refusal(with_length("{\"\xff\":1}", "")).find("UTF-8"), std::string::npos);
  EXPECT_EQ(refusal(with_length("[]", "")), "f: the header is not an object");
  EXPECT_EQ(refusal(with_length(R"({"a":1,"a":2})", "")), "f: byte 10: key \"a\" appears twice");
  EXPECT_EQ(refusal(with_length(R"({"__metadata__":{"a":1}})", "")),
            "f: __metadata__: expected a string, found an integer");
  EXPECT_EQ(refusal(with_length(R"({"__metadata__":[]})", "")),
            "f: __metadata__: expected an object, found an array");
  EXPECT_EQ(refusal(with_length("{\"a\":" + std::string(100, '['), "")),
            "f: byte 69: nested deeper than 64");
}

TEST(Safetensors, TensorRules) {
  const std::string t = "f: tensor \"t\": ";
  EXPECT_EQ(refusal(one("[]", 0)), t + "expected an object, found an array");
  EXPECT_EQ(refusal(one("{}", 0)), t + "key \"dtype\" is missing");
  EXPECT_EQ(refusal(one(entry("F33", "[1]", 0, 4), 4)), t + "unknown dtype \"F33\"");
  EXPECT_EQ(refusal(one(entry("F32", "[-1]", 0, 4), 4)), t + "size -1 in its shape is negative");
  EXPECT_EQ(refusal(one(entry("F32", "[1.5]", 0, 4), 4)),
            t + "expected an integer, found a number");
  EXPECT_EQ(refusal(one(entry("F32", "[4611686018427387904,2]", 0, 4), 4)),
            t + "shape [4611686018427387904, 2] is too large");
  EXPECT_EQ(refusal(one(entry("F32", "[18446744073709551615]", 0, 4), 4)),
            t + "18446744073709551615 is too large");
  EXPECT_EQ(refusal(one(entry("F4", "[3]", 0, 2), 2)),
            t + "F4 of shape [3] does not fill whole bytes");
  EXPECT_EQ(refusal(one(R"({"dtype":"F32","shape":[1],"data_offsets":[0]})", 4)),
            t + "data_offsets must be two numbers");
  EXPECT_EQ(refusal(one(R"({"dtype":"F32","shape":[1],"data_offsets":[-4,0]})", 4)),
            t + "-4 is negative");
  EXPECT_EQ(refusal(one(entry("F32", "[1]", 4, 0), 4)),
            t + "data_offsets [4, 0] leave the file's 4 bytes of data");
  EXPECT_EQ(refusal(one(entry("F32", "[2]", 0, 8), 4)),
            t + "data_offsets [0, 8] leave the file's 4 bytes of data");
  EXPECT_EQ(refusal(one(entry("F32", "[2]", 0, 4), 4)),
            t + "F32 of shape [2] takes 8 bytes, data_offsets give 4");
}

TEST(Safetensors, EveryByteBelongsToOneTensor) {
  const auto two = [](uint64_t b0, uint64_t e0, uint64_t b1, uint64_t e1, size_t bytes) {
    return refusal(with_length(
        "{\"a\":" + entry("U8", "[4]", b0, e0) + ",\"b\":" + entry("U8", "[4]", b1, e1) + "}",
        std::string(bytes, 'x')));
  };
  EXPECT_EQ(two(0, 4, 4, 8, 8), "no error");
  EXPECT_EQ(two(4, 8, 0, 4, 8), "no error");
  EXPECT_NE(two(0, 4, 2, 6, 6).find("f: tensor \"b\": its data overlaps another's at byte"),
            std::string::npos);
  EXPECT_NE(two(0, 4, 5, 9, 9).find("f: tensor \"b\": its data has a gap at byte"),
            std::string::npos);
  EXPECT_NE(two(1, 5, 5, 9, 9).find("f: tensor \"a\": its data has a gap"), std::string::npos);
  EXPECT_EQ(two(0, 4, 4, 8, 9), "f: 1 bytes after the last tensor");
}

TEST(Safetensors, WriterRefusesWhatItCouldNotRead) {
  const float x[2] = {};
  const auto text = [&](std::vector<TensorBytes> t) {
    return error_text<DataError>([&] { SafetensorsLayout layout(std::move(t), {}, "m"); });
  };
  EXPECT_EQ(text({{"x", "F32", {2}, x, 4}}),
            "m: tensor \"x\": F32 [2] takes 8 bytes, 4 were given");
  EXPECT_EQ(text({{"x", "float", {2}, x, 8}}), "m: tensor \"x\": unknown dtype \"float\"");
  EXPECT_EQ(text({{"x", "F32", {1}, x, 4}, {"x", "F32", {1}, x, 4}}),
            "m: tensor \"x\": the name is used twice");
  EXPECT_EQ(text({{"__metadata__", "F32", {1}, x, 4}}),
            "m: tensor \"__metadata__\": the name is used twice");
}

}  // namespace
}  // namespace keel
