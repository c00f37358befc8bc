#include "ops/cross_entropy.h"

#include <gtest/gtest.h>

#include <cmath>

#include "backend/cpu/gemm.h"
#include "core/arena.h"
#include "core/error.h"
#include "core/parallel.h"
#include "harness/check_op.h"
#include "harness/golden.h"
#include "labels.h"
#include "ops/linear.h"

namespace keel::test {
namespace {

TEST(CrossEntropy, AgainstTheFormula) {
  for (const auto& [n, v] : std::vector<std::array<int64_t, 2>>{
           {1, 1}, {1, 2}, {3, 7}, {5, 17}, {7, 257}, {2, 5003}, {131, 33}}) {
    const Labels labels(n, v);
    check_op({.in = {{"logits", {n, v}, kStream}},
              .op =
                  [&](auto& in) {
                    return cross_entropy(in[0], labels.targets, labels.weights, &labels.state).loss;
                  },
              .ref = [&](auto& in) { return labels.reference(in[0]); },
              .difference_scales = {1},
              .bf16 = false});
  }
}

TEST(HeadLoss, AgainstTheFormula) {
  for (const auto& [n, c, v] : std::vector<std::array<int64_t, 3>>{
           {1, 1, 1}, {1, 3, 2}, {4, 5, 7}, {17, 16, 129}, {33, 9, 1031}}) {
    const Labels labels(n, v);
    check_op(
        {.in = {{"x", {n, c}}, {"weight", {v, c}, kWeight}},
         .op =
             [&](auto& in) {
               return head_loss(in[0], in[1], labels.targets, labels.weights, &labels.state).loss;
             },
         .ref = [&](auto& in) { return labels.reference(times_transposed(in[0], in[1])); },
         .scales = {1e-3, 1, 10},
         .difference_scales = {1},
         .bf16 = cpu_has_bf16(),
         .bf16_bound = 1e-2});
  }
  if (!cpu_has_bf16()) GTEST_SKIP() << "the bf16 cases: this CPU has no bf16 products";
}

// A head whose gradients land in two slots, as parameters' do.
struct TinyHead {
  int64_t n, c, v;
  Labels labels;
  Var x, weight;
  Slot x_slot, weight_slot;

  TinyHead(int64_t rows, int64_t width, int64_t vocab, DType dtype = DType::kF32)
      : n(rows), c(width), v(vocab), labels(rows, vocab) {
    x = Var(normal_tensor({n, c}, 1, 1, 0, dtype), &x_slot);
    weight = Var(normal_tensor({v, c}, 2, 0.5, 0, dtype), &weight_slot);
    weight_slot.parameter = true;
    weight_slot.grad = normal_tensor({v, c}, 3);  // whatever was there before
  }
  CrossEntropy loss(int64_t chunk = 0) {
    return head_loss(x, weight, labels.targets, labels.weights, &labels.state, chunk);
  }
  void forget() {
    x_slot.written = weight_slot.written = false;
    x_slot.grad = Tensor();
  }
  struct Gradients {
    std::vector<float> loss, rows, log_z, dx, dweight;
  };
  Gradients run(int64_t chunk) {
    forget();
    CrossEntropy out = loss(chunk);
    backward(out.loss);
    return {to_host(out.loss.t), to_host(out.rows), to_host(out.log_z), to_host(x_slot.grad),
            to_host(weight_slot.grad)};
  }
};

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  const auto n = static_cast<int64_t>(b.size());
  return relative_error(from_host({n}, a), from_host({n}, b));
}

void chunks_do_not_matter(DType dtype, double bound) {
  TinyHead head(67, 24, 301, dtype);
  const auto whole = head.run(0);
  for (int64_t chunk : {16, 32, 48, 66}) {
    const auto parts = head.run(chunk);
    EXPECT_LT(distance(parts.loss, whole.loss), 1e-6);
    EXPECT_LT(distance(parts.rows, whole.rows), 1e-6);
    EXPECT_LT(distance(parts.log_z, whole.log_z), 1e-6);
    EXPECT_LT(distance(parts.dx, whole.dx), bound) << "chunks of " << chunk;
    EXPECT_LT(distance(parts.dweight, whole.dweight), bound) << "chunks of " << chunk;
  }
}

TEST(HeadLoss, ChunksDoNotMatter) { chunks_do_not_matter(DType::kF32, 1e-6); }
TEST(HeadLoss, ChunksDoNotMatterInBf16) {
  if (!cpu_has_bf16()) GTEST_SKIP() << "this CPU has no bf16 products";
  chunks_do_not_matter(DType::kBf16, 5e-3);
}

// The memory of a step is dirty from the second one on.
TEST(HeadLoss, SameBitsInAnArena) {
  TinyHead head(67, 24, 301);
  for (int64_t chunk : {0, 16}) {
    const auto heap = head.run(chunk);
    Arena arena(DeviceKind::kCpu);
    for (int step = 0; step < 3; ++step) {
      const ArenaScope scope(arena, 1);
      const auto again = head.run(chunk);
      head.forget();
      EXPECT_EQ(again.dx, heap.dx);
      EXPECT_EQ(again.dweight, heap.dweight);
      EXPECT_EQ(again.loss, heap.loss);
    }
  }
}

// 1,024 rows of 50,304 ids: the logits of a quarter of them are alive at a time.
TEST(HeadLoss, MemoryOfOneChunk) {
  const auto meta = [](const Shape& shape, DType type) {
    return empty(shape, type, DeviceKind::kMeta);
  };
  for (DType dtype : {DType::kF32, DType::kBf16}) {
    Slot x_slot, weight_slot;
    const Var x(meta({1024, 768}, dtype), &x_slot), weight(meta({50304, 768}, dtype), &weight_slot);
    weight_slot.grad = meta({50304, 768}, DType::kF32);
    const Tensor targets = meta({1024}, DType::kI32);
    Arena arena(DeviceKind::kMeta);
    {
      const ArenaScope scope(arena, 1);
      backward(head_loss(x, weight, targets, {}, nullptr).loss);
      x_slot.grad = Tensor();
    }
    const size_t f32_logits = size_t{512} * 50304 * 4, small = size_t{4} << 20;
    const size_t chunk = dtype == DType::kF32 ? f32_logits : f32_logits * 3 / 2;
    EXPECT_GE(arena.bytes(), chunk);
    EXPECT_LE(arena.bytes(), chunk + small);
  }
}

TEST(HeadLoss, SameBitsWithAnyNumberOfThreads) {
  TinyHead head(131, 40, 1031);
  for (int64_t chunk : {0, 32}) {
    set_num_threads(1);
    const auto one = head.run(chunk);
    for (int threads : {2, 3, 8}) {
      set_num_threads(threads);
      const auto many = head.run(chunk);
      EXPECT_EQ(one.loss, many.loss);
      EXPECT_EQ(one.rows, many.rows);
      EXPECT_EQ(one.dx, many.dx);
      EXPECT_EQ(one.dweight, many.dweight);
    }
    set_num_threads(0);
  }
}

TEST(HeadLoss, NoGradientNoTape) {
  TinyHead head(40, 8, 50);
  const auto with = head.run(16);
  NoGrad off;
  for (int64_t chunk : {0, 16}) {
    const CrossEntropy out = head.loss(chunk);
    EXPECT_EQ(out.loss.slot, nullptr);
    EXPECT_LT(distance(to_host(out.rows), with.rows), 1e-6);
  }
}

// The weight is used twice: the head's contribution comes first, the other one is added.
TEST(HeadLoss, TiedWeight) {
  constexpr int64_t kRows = 37, kSquare = 19;
  const Labels labels(kRows, kSquare);
  check_op({.in = {{"a", {kRows, kSquare}}, {"weight", {kSquare, kSquare}, kWeight}},
            .op =
                [&](auto& in) {
                  const Var x = linear(in[0], in[1], {});
                  return head_loss(x, in[1], labels.targets, labels.weights, &labels.state).loss;
                },
            .ref =
                [&](auto& in) {
                  return labels.reference(times_transposed(times_transposed(in[0], in[1]), in[1]));
                },
            .scales = {1e-3, 1},
            .difference_scales = {1},
            .bf16 = false});
}

TEST(HeadLoss, TiedWeightInChunks) {
  constexpr int64_t kRows = 37, kSquare = 19;
  const Labels labels(kRows, kSquare);
  const Tensor a = normal_tensor({kRows, kSquare}, 1), w = normal_tensor({kSquare, kSquare}, 2);
  std::vector<std::vector<float>> gradients;
  for (int64_t chunk : {0, 16}) {
    Slot a_slot, w_slot;
    const Var weight(w, &w_slot);
    const Var x = linear(Var(a, &a_slot), weight, {});
    backward(head_loss(x, weight, labels.targets, labels.weights, &labels.state, chunk).loss);
    gradients.push_back(to_host(w_slot.grad));
    gradients.push_back(to_host(a_slot.grad));
  }
  EXPECT_LT(distance(gradients[2], gradients[0]), 1e-6);
  EXPECT_LT(distance(gradients[3], gradients[1]), 1e-6);
}

TEST(HeadLoss, AddsToWhatIsWritten) {
  TinyHead head(40, 8, 50);
  for (int64_t chunk : {0, 16}) {
    const auto once = head.run(chunk);
    backward(head.loss(chunk).loss);
    const auto dx = to_host(head.x_slot.grad), dweight = to_host(head.weight_slot.grad);
    for (size_t i = 0; i < dx.size(); ++i) EXPECT_NEAR(dx[i], 2 * once.dx[i], 1e-6);
    for (size_t i = 0; i < dweight.size(); ++i) EXPECT_NEAR(dweight[i], 2 * once.dweight[i], 1e-5);
  }
}

TEST(HeadLoss, OneOfTheGradients) {
  for (int64_t chunk : {0, 16}) {
    TinyHead head(40, 8, 50);
    const auto both = head.run(chunk);
    head.forget();
    head.x.slot = nullptr;
    backward(head.loss(chunk).loss);
    EXPECT_EQ(to_host(head.weight_slot.grad), both.dweight);
    head.forget();
    head.x.slot = &head.x_slot;
    head.weight.slot = nullptr;
    backward(head.loss(chunk).loss);
    EXPECT_EQ(to_host(head.x_slot.grad), both.dx);
  }
}

TEST(HeadLoss, LossTimesAFactor) {
  TinyHead head(40, 8, 50);
  const auto plain = head.run(0);
  head.forget();
  const Tensor three = from_host({1}, std::vector<float>{3});
  backward(head.loss().loss, three);
  const auto dx = to_host(head.x_slot.grad);
  for (size_t i = 0; i < dx.size(); ++i) EXPECT_NEAR(dx[i], 3 * plain.dx[i], 1e-6);
  head.forget();
  try {
    backward(head.loss(16).loss, three);
    FAIL();
  } catch (const ShapeError& e) {
    EXPECT_STREQ(e.what(),
                 "head_loss: in 3 chunks of rows the gradient of the loss must be 1, it is 3; "
                 "multiply the weights of the targets instead");
  }
}

TEST(HeadLoss, ChunksAreFixedByTheShape) {
  EXPECT_EQ(head_chunk_rows(256, 50304, 64), 256);
  EXPECT_EQ(head_chunk_rows(1024, 50304, 64), 256);
  EXPECT_EQ(head_chunk_rows(1000, 50304, 64), 256);
  EXPECT_EQ(head_chunk_rows(1024, 50304, 768), 512);  // as large as the weight
  EXPECT_EQ(head_chunk_rows(65536, 257, 64), 65536 / 2);
  EXPECT_EQ(head_chunk_rows(100, int64_t{1} << 40, 8), 16);
  EXPECT_EQ(head_chunk_rows(0, 10, 8), 0);
}

TEST(HeadLoss, NoRows) {
  TinyHead head(0, 8, 50);
  const auto none = head.run(0);
  EXPECT_EQ(none.loss, std::vector<float>{0});
  EXPECT_EQ(none.dweight, std::vector<float>(50 * 8, 0.0f));
}

TEST(CrossEntropy, AgainstPyTorch) {
  const Golden golden("cross_entropy.safetensors");
  const Tensor targets = golden.tensor("targets"), weights = golden.tensor("weights");
  StepState state;
  state.loss_scale = 1.0f / 24;  // the weights' sum: one row counts 0, one 2
  const auto expected_rows = to_host(golden.tensor("rows"));
  for (int64_t chunk : {0, 16}) {
    Slot x_slot, weight_slot;
    const Var x(golden.tensor("x"), &x_slot), weight(golden.tensor("weight"), &weight_slot);
    const CrossEntropy out = head_loss(x, weight, targets, weights, &state, chunk);
    const auto rows = to_host(out.rows);
    for (size_t i = 0; i < rows.size(); ++i) {
      EXPECT_NEAR(rows[i], i == 5 ? 0 : expected_rows[i], 5e-6);
    }
    EXPECT_NEAR(to_host(out.loss.t)[0], to_host(golden.tensor("loss"))[0], 1e-6);
    backward(out.loss);
    EXPECT_LT(relative_error(x_slot.grad, golden.tensor("dx")), 1e-6);
    EXPECT_LT(relative_error(weight_slot.grad, golden.tensor("dweight")), 1e-6);
  }
}

TEST(CrossEntropy, LargeLogits) {
  const Tensor logits = from_host({3, 3}, std::vector<float>{1e4f, -1e4f, 0, 1e4f, -1e4f, 0,  //
                                                             1e4f, 9999.5f, 1e4f});
  const Tensor targets = from_host({3}, std::vector<int32_t>{0, 1, 2});
  Slot slot;
  const CrossEntropy out = cross_entropy(Var(logits, &slot), targets, {}, nullptr);
  const double last = std::log(2 + std::exp(-0.5));
  const auto rows = to_host(out.rows);
  EXPECT_EQ(rows[0], 0);
  EXPECT_EQ(rows[1], 2e4f);
  EXPECT_NEAR(rows[2], last, 1e-6);
  EXPECT_NEAR(to_host(out.log_z)[2], 1e4 + last, 1e-3);
  backward(out.loss);
  const auto d = to_host(slot.grad);
  EXPECT_EQ(std::vector<float>(d.begin(), d.begin() + 6), (std::vector<float>{0, 0, 0, 1, -1, 0}));
  EXPECT_NEAR(d[6], std::exp(-last), 1e-6);
  EXPECT_NEAR(d[7], std::exp(-0.5 - last), 1e-6);
  EXPECT_NEAR(d[8], std::exp(-last) - 1, 1e-6);
}

TEST(CrossEntropy, EqualLogitsAreLnV) {
  const Tensor logits = from_host({2, 5003}, std::vector<float>(2 * 5003, -3.0f));
  const CrossEntropy out =
      cross_entropy(Var(logits), from_host({2}, std::vector<int32_t>{0, 5002}), {}, nullptr);
  for (float ce : to_host(out.rows)) EXPECT_NEAR(ce, std::log(5003.0), 1e-6);
  EXPECT_NEAR(to_host(out.mean_log_z)[0], std::log(5003.0) - 3, 1e-6);
  EXPECT_NEAR(to_host(out.loss.t)[0], 2 * std::log(5003.0), 2e-6);
}

// A row that does not count may hold anything, also in the gradient of the others.
TEST(CrossEntropy, RowsOfWeightZero) {
  const std::vector<float> z = {0, 1, 2, NAN, INFINITY, 7};
  const Tensor logits = from_host({2, 3}, z);
  const Tensor targets = from_host({2}, std::vector<int32_t>{1, -100});
  const Tensor weights = from_host({2}, std::vector<float>{2, 0});
  Slot slot;
  const CrossEntropy out = cross_entropy(Var(logits, &slot), targets, weights, nullptr);
  const double log_z = std::log(1 + std::exp(1) + std::exp(2));
  EXPECT_NEAR(to_host(out.loss.t)[0], 2 * (log_z - 1), 1e-6);
  EXPECT_NEAR(to_host(out.mean_log_z)[0], log_z, 1e-6);
  EXPECT_EQ(to_host(out.rows)[1], 0);
  EXPECT_EQ(to_host(out.log_z)[1], 0);
  backward(out.loss);
  const auto d = to_host(slot.grad);
  EXPECT_NEAR(d[0], 2 * std::exp(-log_z), 1e-6);
  EXPECT_EQ(std::vector<float>(d.begin() + 3, d.end()), (std::vector<float>{0, 0, 0}));

  const Tensor nothing = from_host({2}, std::vector<float>{0, 0});
  const CrossEntropy none = cross_entropy(Var(logits), targets, nothing, nullptr);
  EXPECT_EQ(to_host(none.loss.t)[0], 0);
  EXPECT_EQ(to_host(none.mean_log_z)[0], 0);
}

TEST(CrossEntropy, NotFiniteIsSeen) {
  for (float bad : {NAN, INFINITY}) {
    std::vector<float> z(50, 0.0f);
    z[33] = bad;
    const Tensor targets = from_host({1}, std::vector<int32_t>{4});
    const CrossEntropy out = cross_entropy(Var(from_host({1, 50}, z)), targets, {}, nullptr);
    EXPECT_FALSE(std::isfinite(to_host(out.loss.t)[0]));
  }
}

template <class E, class F>
std::string message(F&& f) {
  try {
    f();
  } catch (const E& e) {
    return e.what();
  }
  return "nothing was thrown";
}

TEST(CrossEntropy, Errors) {
  const Tensor logits = normal_tensor({3, 10}, 1), weight = normal_tensor({10, 4}, 2);
  const auto ids = [](std::vector<int32_t> v) { return from_host({int64_t(v.size())}, v); };
  const auto plain = [&](const Tensor& z, const Tensor& t, const Tensor& w) {
    return message<Error>([&] { cross_entropy(Var(z), t, w, nullptr); });
  };
  EXPECT_EQ(message<DataError>([&] {
              cross_entropy(logits, ids({0, 10, 1}), {}, nullptr);
            }),
            "cross_entropy: target 1 of 3 is token 10, the vocabulary has ids 0 to 9");
  EXPECT_EQ(plain(logits, ids({0, 9, -1}), {}),
            "cross_entropy: target 2 of 3 is token -1, the vocabulary has ids 0 to 9");
  EXPECT_EQ(plain(logits, ids({0, 1}), {}),
            "cross_entropy: targets is i32 [2], must be contiguous i32 with 3 elements");
  EXPECT_EQ(plain(logits, ids({0, 1, 2}), normal_tensor({4}, 1)),
            "cross_entropy: weights is f32 [4], must be contiguous f32 with 3 elements");
  EXPECT_EQ(plain(logits, {}, {}), "cross_entropy: there are no targets");
  EXPECT_EQ(plain(normal_tensor({3, 10}, 1, 1, 0, DType::kBf16), ids({0, 1, 2}), {}),
            "cross_entropy: logits are bf16, must be f32");
  const auto head = [&](const Tensor& x, const Tensor& w, const Tensor& t) {
    return message<Error>([&] { head_loss(Var(x), Var(w), t, {}, nullptr); });
  };
  EXPECT_EQ(head(normal_tensor({3, 5}, 1), weight, ids({0, 1, 2})),
            "head_loss: weight is [10, 4], last axis of x has 5");
  EXPECT_EQ(head(normal_tensor({3, 4}, 1, 1, 0, DType::kBf16), weight, ids({0, 1, 2})),
            "head_loss: x is bf16, weight is f32; cast one of them");
  EXPECT_EQ(head(normal_tensor({3, 4}, 1), weight, ids({0, 1, 11})),
            "head_loss: target 2 of 3 is token 11, the vocabulary has ids 0 to 9");
}

}  // namespace
}  // namespace keel::test
