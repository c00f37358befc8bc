#include "ops/sigma_reparam.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "core/parallel.h"
#include "harness/check_op.h"
#include "harness/expect_error.h"
#include "harness/golden.h"

namespace keel::test {
namespace {

StackedRows stacked(std::initializer_list<int64_t> rows) {
  StackedRows s;
  for (const int64_t r : rows) s.rows[static_cast<size_t>(s.parts++)] = r;
  return s;
}

using Vector = std::vector<double>;

void normalise(Vector& x) {
  double sum = 0;
  for (const double e : x) sum += e * e;
  for (double& e : x) e /= std::sqrt(sum);
}

// The singular vectors of the largest singular value of w [rows, columns].
struct Top {
  Vector v, u;
  double sigma = 0;

  Top(const double* w, int64_t rows, int64_t columns)
      : v(static_cast<size_t>(rows)), u(static_cast<size_t>(columns)) {
    for (size_t i = 0; i < u.size(); ++i) u[i] = 1 + 0.1 * double(i % 3);
    for (int k = 0; k < 800; ++k) {
      for (size_t r = 0; r < v.size(); ++r) {
        v[r] = 0;
        for (size_t i = 0; i < u.size(); ++i) v[r] += w[r * u.size() + i] * u[i];
      }
      sigma = 0;
      for (const double e : v) sigma += e * e;
      sigma = std::sqrt(sigma);
      normalise(v);
      for (size_t i = 0; i < u.size(); ++i) {
        u[i] = 0;
        for (size_t r = 0; r < v.size(); ++r) u[i] += w[r * u.size() + i] * v[r];
      }
      normalise(u);
    }
  }
};

// u of every part of a stack.
Tensor top_vectors(const Tensor& w, const StackedRows& rows) {
  const int64_t columns = w.dim(1);
  const std::vector<float> values = to_host(w);
  const Vector all(values.begin(), values.end());
  std::vector<float> u;
  int64_t begin = 0;
  for (int p = 0; p < rows.parts; ++p) {
    const int64_t n = rows.rows[static_cast<size_t>(p)];
    const Top top(&all[static_cast<size_t>(begin * columns)], n, columns);
    u.insert(u.end(), top.u.begin(), top.u.end());
    begin += n;
  }
  return from_host({rows.parts, columns}, u);
}

Array reference(const Array& w, const Array& gamma, const StackedRows& rows) {
  const int64_t columns = w.dim(1);
  Array y(w.shape);
  int64_t begin = 0;
  for (int p = 0; p < rows.parts; ++p) {
    const int64_t n = rows.rows[static_cast<size_t>(p)];
    Vector real;
    for (int64_t i = begin * columns; i < (begin + n) * columns; ++i) real.push_back(w[i].real());
    const Top top(real.data(), n, columns);
    Complex sigma = 0;
    for (int64_t r = 0; r < n; ++r) {
      for (int64_t i = 0; i < columns; ++i) {
        sigma += top.v[static_cast<size_t>(r)] * w[(begin + r) * columns + i] *
                 top.u[static_cast<size_t>(i)];
      }
    }
    for (int64_t i = begin * columns; i < (begin + n) * columns; ++i) {
      y[i] = gamma[p] / sigma * w[i];
    }
    begin += n;
  }
  return y;
}

TEST(SigmaReparam, ValuesAndGradients) {
  const std::pair<StackedRows, int64_t> cases[] = {
      {stacked({1}), 5}, {stacked({7, 3}), 5}, {stacked({17, 6, 67}), 19}, {stacked({40}), 35}};
  for (const auto& [rows, columns] : cases) {
    check_op(
        {.in = {{"weight", {rows.total(), columns}, kStream},
                {"gamma", {rows.parts}, kParameter, 1}},
         .op =
             [&](auto& v) {
               return sigma_reparam(v[0], v[1], {rows, top_vectors(v[0].t, rows), {}, DType::kF32});
             },
         .ref = [&](auto& v) { return reference(v[0], v[1], rows); },
         .bf16 = false,
         .meta = false});
  }
}

TEST(SigmaReparam, AgainstPyTorch) {
  const Golden golden("linears.safetensors");
  const auto at = [&](const char* name) {
    return golden.tensor(std::string("sigma_reparam.") + name);
  };
  Slot w_slot, gamma_slot;
  const Var y = sigma_reparam(Var(at("w"), &w_slot), Var(at("gamma"), &gamma_slot),
                              {stacked({12}), at("u").view({1, 7}), {}, DType::kF32});
  EXPECT_LT(relative_error(y.t, at("y")), 1e-6);
  backward(y, at("dy"));
  EXPECT_LT(relative_error(w_slot.grad, at("dw")), 2e-6);
  EXPECT_LT(relative_error(gamma_slot.grad, at("dgamma")), 2e-6);
}

// The largest singular value is gamma after 50 iterations on weights that stand still.
TEST(SigmaReparam, LargestSingularValueIsGamma) {
  const StackedRows rows = stacked({48, 24});
  const Tensor w = normal_tensor({72, 31}, 1), gamma = from_host({2}, std::vector<float>{2, 0.5f});
  Tensor u = from_host({2, 31}, std::vector<float>(62, 1 / std::sqrt(31.0f)));
  Tensor y;
  for (int i = 0; i < 50; ++i) {
    const Tensor next = empty({2, 31});
    y = sigma_reparam(w, gamma, {rows, u, next, DType::kF32}).t;
    u = next;
  }
  const std::vector<float> values = to_host(y);
  const Vector all(values.begin(), values.end());
  EXPECT_NEAR(Top(all.data(), 48, 31).sigma, 2, 0.01);
  EXPECT_NEAR(Top(&all[48 * 31], 24, 31).sigma, 0.5, 0.0025);
}

// The scale of W does not matter, in whole or in f32 rounding.
TEST(SigmaReparam, ScaleOfTheWeightDoesNotMatter) {
  const StackedRows rows = stacked({9});
  const Tensor one = from_host({1}, std::vector<float>{1});
  const Tensor w = normal_tensor({9, 8}, 1), large = normal_tensor({9, 8}, 1, 1024);
  const Tensor u = top_vectors(w, rows);
  EXPECT_LT(relative_error(sigma_reparam(large, one, {rows, u, {}, DType::kF32}).t,
                           sigma_reparam(w, one, {rows, u, {}, DType::kF32}).t),
            1e-6);
}

TEST(SigmaReparam, ThreadsAndBf16) {
  const StackedRows rows = stacked({300, 100, 100});
  const Tensor w = normal_tensor({500, 129}, 1), dy = normal_tensor({500, 129}, 2);
  const Tensor gamma = from_host({3}, std::vector<float>{1, 2, 3});
  const Tensor u = top_vectors(w, rows);
  const auto run = [&](int threads, DType out) {
    set_num_threads(threads);
    Slot slot;
    const Var y = sigma_reparam(Var(w, &slot), gamma, {rows, u, {}, out});
    backward(y, dy);  // f32, whatever y is
    set_num_threads(0);
    return std::pair(y.t, slot.grad);
  };
  const auto one = run(1, DType::kF32), three = run(3, DType::kF32), half = run(2, DType::kBf16);
  EXPECT_TRUE(same_bits(one.first, three.first));
  EXPECT_TRUE(same_bits(one.second, three.second));
  EXPECT_TRUE(same_bits(one.second, half.second));
  EXPECT_EQ(half.first.dtype(), DType::kBf16);
  const std::vector<float> exact = to_host(one.first);
  const bf16* rounded = half.first.data<bf16>();
  for (size_t i = 0; i < exact.size(); ++i) {
    ASSERT_EQ(static_cast<float>(rounded[i]), static_cast<float>(bf16(exact[i])));
  }
}

TEST(SigmaReparam, AStepBeginsOnce) {
  const Tensor u = normal_tensor({2, 5}, 1), begin = from_host({2, 5}, std::vector<float>(10));
  const Tensor begun = from_host({1}, std::vector<int32_t>{-1});
  StepState state;
  const std::vector<float> first = to_host(u);
  kernel::spectral_begin(cpu(), {u, begin, begun, &state});
  EXPECT_EQ(to_host(begin), first);
  u.data<float>()[3] = 7;
  kernel::spectral_begin(cpu(), {u, begin, begun, &state});
  EXPECT_EQ(to_host(begin), first);
  for (const int64_t step : {int64_t{1}, int64_t{1} << 31, int64_t{2}}) {
    state.step = step;
    u.data<float>()[3] += 1;
    kernel::spectral_begin(cpu(), {u, begin, begun, &state});
    EXPECT_EQ(to_host(begin), to_host(u)) << step;
  }
}

TEST(SigmaReparam, ZerosStayZeros) {
  Slot slot;
  const Var w(from_host({3, 4}, std::vector<float>(12, 0.0f)), &slot);
  const Tensor gamma = from_host({1}, std::vector<float>{1}), u = normal_tensor({1, 4}, 1);
  const Var y = sigma_reparam(w, gamma, {stacked({3}), u, {}, DType::kF32});
  backward(y, normal_tensor({3, 4}, 1));
  EXPECT_EQ(to_host(y.t), std::vector<float>(12, 0.0f));
  EXPECT_EQ(to_host(slot.grad), std::vector<float>(12, 0.0f));
}

TEST(SigmaReparam, Errors) {
  const Tensor w = normal_tensor({5, 4}, 1), gamma = normal_tensor({2}, 1);
  const Tensor u = normal_tensor({2, 4}, 1);
  const auto made = [&](const Tensor& weight, std::initializer_list<int64_t> rows,
                        const Tensor& start) {
    sigma_reparam(weight, gamma, {stacked(rows), start, {}, DType::kF32});
  };
  expect_error<ShapeError>("sigma_reparam: the parts have 6 rows, weight is [5, 4]", [&] {
    made(w, {3, 3}, u);
  });
  expect_error<ShapeError>("sigma_reparam: 2 gammas for 1 parts", [&] { made(w, {5}, u); });
  expect_error<ShapeError>("sigma_reparam: u is [1, 4], must be [2, 4]", [&] {
    made(w, {3, 2}, u.slice(0, 0, 1));
  });
  expect_error<ShapeError>("sigma_reparam: weight is bf16, must be f32", [&] {
    made(normal_tensor({5, 4}, 1, 1, 0, DType::kBf16), {3, 2}, u);
  });
}

}  // namespace
}  // namespace keel::test
