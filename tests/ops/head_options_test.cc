// Soft cap, label smoothing, z-loss and bias inside the head's loss.
#include <gtest/gtest.h>

#include <cmath>

#include "backend/cpu/gemm.h"
#include "core/error.h"
#include "core/parallel.h"
#include "harness/check_op.h"
#include "harness/expect_error.h"
#include "harness/golden.h"
#include "labels.h"
#include "ops/cross_entropy.h"

namespace keel::test {
namespace {

const std::vector<HeadOptions> kOptions = {
    {.scale = 0.25f},
    {.softcap = 3},
    {.z_loss = 0.05f},
    {.smoothing = 0.1f},
    {.scale = 2, .softcap = 5, .z_loss = 0.01f, .smoothing = 0.2f}};

TEST(HeadOptions, AgainstTheFormula) {
  for (const HeadOptions& o : kOptions) {
    for (const auto& [n, c, v] :
         std::vector<std::array<int64_t, 3>>{{1, 1, 1}, {1, 3, 2}, {17, 16, 129}, {5, 9, 1031}}) {
      const Labels labels(n, v);
      check_op(
          {.in = {{"x", {n, c}}, {"weight", {v, c}, kWeight}},
           .op =
               [&](auto& in) {
                 return head_loss(in[0], in[1], labels.targets, labels.weights, &labels.state, 0, o)
                     .loss;
               },
           .ref = [&](auto& in) { return labels.reference(times_transposed(in[0], in[1]), o); },
           .scales = {1e-3, 1},
           .difference_scales = {1},
           .bf16 = cpu_has_bf16(),
           .bf16_bound = 1e-2});
    }
  }
}

Array plus_bias(Array z, const Array& bias) {
  for (int64_t i = 0; i < z.shape.size(); ++i) z[i] += bias[i % bias.dim(0)];
  return z;
}

TEST(HeadBias, AgainstTheFormula) {
  for (const HeadOptions& o : {HeadOptions(), kOptions.back()}) {
    for (const auto& [n, c, v] :
         std::vector<std::array<int64_t, 3>>{{1, 1, 1}, {1, 3, 2}, {17, 16, 129}, {5, 9, 1031}}) {
      const Labels labels(n, v);
      check_op({.in = {{"x", {n, c}}, {"weight", {v, c}, kWeight}, {"bias", {v}, kParameter}},
                .op =
                    [&](auto& in) {
                      return head_loss(in[0], in[1], labels.targets, labels.weights, &labels.state,
                                       0, o, in[2])
                          .loss;
                    },
                .ref =
                    [&](auto& in) {
                      return labels.reference(plus_bias(times_transposed(in[0], in[1]), in[2]), o);
                    },
                .scales = {1e-3, 1},
                .difference_scales = {1},
                .bf16 = cpu_has_bf16(),
                .bf16_bound = 1e-2});
    }
  }
}

struct Gradients {
  std::vector<float> loss, rows, dx, dweight, dbias;
  bool operator==(const Gradients&) const = default;
};

Gradients run(const Tensor& x, const Tensor& weight, const Labels& labels, const HeadOptions& o,
              int64_t chunk, const Tensor& bias = {}) {
  Slot x_slot, weight_slot, bias_slot;
  const CrossEntropy out =
      head_loss(Var(x, &x_slot), Var(weight, &weight_slot), labels.targets, labels.weights,
                &labels.state, chunk, o, bias ? Var(bias, &bias_slot) : Var());
  backward(out.loss);
  return {to_host(out.loss.t), to_host(out.rows), to_host(x_slot.grad), to_host(weight_slot.grad),
          bias ? to_host(bias_slot.grad) : std::vector<float>()};
}

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  const auto n = static_cast<int64_t>(b.size());
  return relative_error(from_host({n}, a), from_host({n}, b));
}

TEST(HeadOptions, ChunksAndThreadsDoNotMatter) {
  const Labels labels(67, 301);
  const Tensor x = normal_tensor({67, 24}, 1), weight = normal_tensor({301, 24}, 2, 0.5);
  for (const HeadOptions& o : kOptions) {
    const Gradients whole = run(x, weight, labels, o, 0);
    const Gradients parts = run(x, weight, labels, o, 16);
    EXPECT_LT(distance(parts.loss, whole.loss), 1e-6);
    EXPECT_LT(distance(parts.rows, whole.rows), 1e-6);
    EXPECT_LT(distance(parts.dx, whole.dx), 1e-6);
    EXPECT_LT(distance(parts.dweight, whole.dweight), 1e-6);
    for (int threads : {1, 3}) {
      set_num_threads(threads);
      EXPECT_TRUE(run(x, weight, labels, o, 16) == parts);
    }
    set_num_threads(0);
  }
}

// The bias's gradient is summed over the chunks in their order.
TEST(HeadBias, ChunksAndThreadsDoNotMatter) {
  const Labels labels(67, 301);
  const Tensor x = normal_tensor({67, 24}, 1), weight = normal_tensor({301, 24}, 2, 0.5),
               bias = normal_tensor({301}, 3);
  for (const HeadOptions& o : {HeadOptions(), kOptions.back()}) {
    const Gradients whole = run(x, weight, labels, o, 0, bias);
    const Gradients parts = run(x, weight, labels, o, 16, bias);
    EXPECT_LT(distance(parts.loss, whole.loss), 1e-6);
    EXPECT_LT(distance(parts.dx, whole.dx), 1e-6);
    EXPECT_LT(distance(parts.dweight, whole.dweight), 1e-6);
    EXPECT_LT(distance(parts.dbias, whole.dbias), 1e-6);
    for (int threads : {1, 3}) {
      set_num_threads(threads);
      EXPECT_TRUE(run(x, weight, labels, o, 16, bias) == parts);
    }
    set_num_threads(0);
  }
}

// Softmax does not see what is added to all logits alike, so the gradient of the bias sums to 0.
TEST(HeadBias, OneForAllTokensIsNothing) {
  const Labels labels(20, 33);
  const Tensor x = normal_tensor({20, 8}, 1), weight = normal_tensor({33, 8}, 2);
  const Gradients plain = run(x, weight, labels, {}, 0);
  const Gradients with = run(x, weight, labels, {}, 0, from_host({33}, std::vector<float>(33, 2)));
  EXPECT_LT(distance(with.rows, plain.rows), 1e-6);
  EXPECT_LT(distance(with.dweight, plain.dweight), 1e-5);
  double sum = 0;
  for (float g : with.dbias) sum += double(g);
  EXPECT_NEAR(sum, 0, 1e-5);
}

TEST(HeadBias, MustFit) {
  const Labels labels(4, 7);
  expect_error<ShapeError>("head_loss: bias is f32 [6], must be f32 [7]", [&] {
    head_loss(Var(normal_tensor({4, 3}, 1)), Var(normal_tensor({7, 3}, 2)), labels.targets, {},
              nullptr, 0, {}, Var(empty({6})));
  });
}

// Whatever the training loss adds, rows are the plain cross-entropy.
TEST(HeadOptions, RowsStayPlain) {
  const Labels labels(40, 50);
  const Tensor x = normal_tensor({40, 8}, 1), weight = normal_tensor({50, 8}, 2);
  const Gradients plain = run(x, weight, labels, {}, 0);
  const Gradients more = run(x, weight, labels, {.z_loss = 0.3f, .smoothing = 0.3f}, 0);
  EXPECT_LT(distance(more.rows, plain.rows), 1e-6);
  EXPECT_GT(distance(more.loss, plain.loss), 0.1);
}

// The gradient of the z-loss alone is 2 lambda log Z softmax.
TEST(ZLoss, Gradient) {
  constexpr int64_t kRows = 5, kVocab = 37;
  constexpr float kLambda = 0.25f;
  const Tensor z = normal_tensor({kRows, kVocab}, 1, 2);
  std::vector<float> eye(kVocab * kVocab);
  for (size_t i = 0; i < kVocab; ++i) eye[i * kVocab + i] = 1;
  const Tensor one = from_host({kVocab, kVocab}, eye);
  const Tensor targets = from_host({kRows}, std::vector<int32_t>{0, 1, 2, 3, 36});
  const auto gradient = [&](const HeadOptions& o) {
    Slot slot;
    backward(head_loss(Var(z, &slot), one, targets, {}, nullptr, 0, o).loss);
    return to_host(slot.grad);
  };
  const std::vector<float> with = gradient({.z_loss = kLambda}), without = gradient({});
  const std::vector<float> logits = to_host(z);
  for (size_t r = 0; r < kRows; ++r) {
    double sum = 0;
    for (size_t i = 0; i < kVocab; ++i) sum += std::exp(double(logits[r * kVocab + i]));
    for (size_t i = r * kVocab; i < (r + 1) * kVocab; ++i) {
      const double expected =
          2 * double(kLambda) * std::log(sum) * std::exp(double(logits[i])) / sum;
      EXPECT_NEAR(with[i] - without[i], expected, 2e-6);
    }
  }
}

// softmax - ((1 - eps) onehot + eps / V): a uniform prediction of all classes stays put for eps 1.
TEST(LabelSmoothing, GradientSumsToNothing) {
  const Labels labels(9, 33);
  const Tensor x = normal_tensor({9, 33}, 1);
  std::vector<float> eye(33 * 33);
  for (size_t i = 0; i < 33; ++i) eye[i * 33 + i] = 1;
  const Gradients r = run(x, from_host({33, 33}, eye), labels, {.smoothing = 0.4f}, 0);
  for (size_t row = 0; row < 9; ++row) {
    double sum = 0;
    for (size_t i = 0; i < 33; ++i) sum += double(r.dx[row * 33 + i]);
    EXPECT_NEAR(sum, 0, 1e-6);
  }
}

TEST(HeadOptions, AgainstPyTorch) {
  const Golden golden("head.safetensors");
  const Tensor targets = golden.tensor("targets");
  StepState state;
  state.loss_scale = 1.0f / 24;
  const std::pair<const char*, HeadOptions> cases[] = {
      {"smoothing", {.smoothing = 0.1f}},
      {"z_loss", {.z_loss = 0.01f}},
      {"softcap", {.softcap = 5}},
      {"all", {.softcap = 5, .z_loss = 0.01f, .smoothing = 0.1f}},
      {"bias", {}},
      {"all_bias", {.softcap = 5, .z_loss = 0.01f, .smoothing = 0.1f}}};
  for (const auto& [name, options] : cases) {
    const auto expected = [&](const char* key) {
      return golden.tensor(std::string(name) + "." + key);
    };
    const bool with_bias = std::string_view(name).ends_with("bias");
    Slot x_slot, weight_slot, bias_slot;
    const Var x(golden.tensor("x"), &x_slot), weight(golden.tensor("weight"), &weight_slot);
    const Var bias = with_bias ? Var(golden.tensor("bias"), &bias_slot) : Var();
    const CrossEntropy out = head_loss(x, weight, targets, {}, &state, 0, options, bias);
    EXPECT_LT(relative_error(out.rows, expected("rows")), 1e-6) << name;
    EXPECT_LT(relative_error(out.loss.t, expected("loss")), 1e-6) << name;
    backward(out.loss);
    EXPECT_LT(relative_error(x_slot.grad, expected("dx")), 2e-6) << name;
    EXPECT_LT(relative_error(weight_slot.grad, expected("dweight")), 2e-6) << name;
    if (with_bias) {
      EXPECT_LT(relative_error(bias_slot.grad, expected("dbias")), 2e-6) << name;
    }
  }
}

}  // namespace
}  // namespace keel::test
