#include "ops/embedding.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/philox.h"
#include "harness/check_op.h"
#include "harness/expect_error.h"

namespace keel::test {
namespace {

Tensor random_tokens(int64_t b, int64_t t, int64_t vocab) {
  std::vector<int32_t> v;
  for (int64_t i = 0; i < b * t; ++i) v.push_back(static_cast<int32_t>(mix64(i + 7) % vocab));
  return from_host({b, t}, v);
}

struct Setting {
  int64_t b, t, vocab, c;
  bool positions = false;
  int64_t offset = 0;
  std::vector<int32_t> segments = {};
  float scale = 1;
};

void check(const Setting& s) {
  const Tensor tokens = random_tokens(s.b, s.t, s.vocab);
  const Tensor segments = s.segments.empty() ? Tensor() : from_host({s.b, s.t}, s.segments);
  std::vector<OpInput> in{{"table", {s.vocab, s.c}, kWeight}};
  if (s.positions) in.push_back({"positions", {s.offset + s.t + 1, s.c}, kWeight});
  check_op({.in = in,
            .op =
                [&](auto& v) {
                  return embedding(tokens, v[0], v.size() > 1 ? v[1] : Var(), segments, s.offset,
                                   s.scale);
                },
            .ref =
                [&](auto& v) {
                  Array y(Shape{s.b, s.t, s.c});
                  for (int64_t r = 0; r < s.b * s.t; ++r) {
                    const int64_t start = s.segments.empty() ? 0 : s.segments[r];
                    const int64_t position = s.offset + r % s.t - start;
                    for (int64_t i = 0; i < s.c; ++i) {
                      y[r * s.c + i] =
                          static_cast<double>(s.scale) * v[0][tokens.data<int32_t>()[r] * s.c + i];
                      if (v.size() > 1) y[r * s.c + i] += v[1][position * s.c + i];
                    }
                  }
                  return y;
                }});
}

TEST(Embedding, Lookup) {
  check({.b = 1, .t = 1, .vocab = 1, .c = 1});
  check({.b = 2, .t = 7, .vocab = 5, .c = 3});
  check({.b = 3, .t = 31, .vocab = 17, .c = 130});
  check({.b = 0, .t = 4, .vocab = 5, .c = 8});
}

TEST(Embedding, WithPositions) {
  check({.b = 2, .t = 5, .vocab = 7, .c = 33, .positions = true});
  check({.b = 1, .t = 3, .vocab = 7, .c = 8, .positions = true, .offset = 2});
  check({.b = 2,
         .t = 4,
         .vocab = 7,
         .c = 8,
         .positions = true,
         .segments = {0, 0, 2, 2, 0, 1, 1, 1}});
}

TEST(Embedding, ScalesTheTableAlone) {
  check({.b = 2, .t = 5, .vocab = 7, .c = 33, .positions = true, .scale = 5.5f});
}

TEST(Embedding, RowsThatNoTokenNamesGetZero) {
  Slot table;
  const Tensor tokens = from_host({1, 2}, std::vector<int32_t>{2, 2});
  const Var y = embedding(tokens, Var(normal_tensor({4, 3}, 1), &table));
  backward(y, from_host({1, 2, 3}, std::vector<float>{1, 2, 3, 10, 20, 30}));
  EXPECT_EQ(to_host(table.grad), (std::vector<float>{0, 0, 0, 0, 0, 0, 11, 22, 33, 0, 0, 0}));
}

TEST(Embedding, Errors) {
  const Tensor table = normal_tensor({5, 4}, 1);
  const Tensor bad = from_host({2, 3}, std::vector<int32_t>{0, 1, 2, 3, 4, 5});
  expect_error<DataError>(
      "embedding: token 5 at row 1, position 2 is outside the table of 5 tokens",
      [&] { embedding(bad, table); });
  const Tensor negative = from_host({1, 2}, std::vector<int32_t>{0, -1});
  expect_error<DataError>(
      "embedding: token -1 at row 0, position 1 is outside the table of 5 tokens",
      [&] { embedding(negative, table); });
  const Tensor tokens = random_tokens(2, 3, 5);
  expect_error<ShapeError>("embedding: positions 0 to 2 are outside the 2 of the table", [&] {
    embedding(tokens, table, normal_tensor({2, 4}, 1));
  });
  expect_error<ShapeError>("embedding: positions is [8, 3], table is [5, 4]", [&] {
    embedding(tokens, table, normal_tensor({8, 3}, 1));
  });
  expect_error<ShapeError>("embedding: segments is i32 [3, 2], must be i32 [2, 3] and contiguous",
                           [&] { embedding(tokens, table, {}, random_tokens(3, 2, 2)); });
  expect_error<ShapeError>("embedding: tokens is f32 [5, 4], must be i32 [5, 4] and contiguous",
                           [&] { embedding(table, table); });
}

}  // namespace
}  // namespace keel::test
