// check_op itself: a right op passes, and each kind of mistake is found.
#include "harness/check_op.h"

#include <gtest/gtest.h>

#include "core/parallel.h"
#include "ops/copy.h"

namespace keel::test {
namespace {

struct Mistakes {
  float value = 0;          // added to y
  float gradient = 1;       // factor of dx
  bool overwrites = false;  // ignores Grad::add
  bool writes_nothing = false;
  bool threads = false;  // bits depend on the number of threads
  bool dirty = false;    // counts on zeroed memory
  bool rebuild = false;  // the value made again differs
};

Tensor product(const Tensor& a, const Tensor& b, float plus) {
  Tensor y = like(a);
  for (int64_t i = 0; i < y.size(); ++i) {
    y.data<float>()[i] = a.data<float>()[i] * b.data<float>()[i] + plus;
  }
  return y;
}

// y = a b, element by element.
Var multiply(const Var& a, const Var& b, const Mistakes& m) {
  Tensor y = product(a.t, b.t, m.value);
  if (m.threads && y.size()) y.data<float>()[0] *= 1 + 1e-6f * num_threads();
  if (m.dirty && y.size()) {
    const Tensor scratch = empty({4096});
    y.data<float>()[0] += scratch.data<float>()[7] == 0 ? 0.0f : 1.0f;
    scratch.data<float>()[7] = 1;
  }
  Var out = record("multiply", y, {a, b}, [a = a.t, b = b.t, m](Node& n) {
    const Tensor dy = n.dy();
    for (int k = 0; k < 2; ++k) {
      const Grad g = n.grad_of(k);
      if (!g || m.writes_nothing) continue;
      const float* other = (k == 0 ? b : a).data<float>();
      for (int64_t i = 0; i < dy.size(); ++i) {
        const float d = dy.data<float>()[i] * other[i] * m.gradient;
        float& to = g.t.data<float>()[i];
        to = g.add && !m.overwrites ? to + d : d;
      }
    }
  });
  if (m.threads || m.dirty) return out;
  rebuild_with(out, [a = a.t, b = b.t, m] { return product(a, b, m.rebuild ? 1e-3f : m.value); });
  return out;
}

std::string failures(const Mistakes& m) {
  const OpCheck check{.in = {{"a", {3, 5}, kStream}, {"b", {3, 5}, kStream}},
                      .op = [m](auto& v) { return multiply(v[0], v[1], m); },
                      .ref =
                          [](auto& v) {
                            Array y(v[0].shape);
                            for (int64_t i = 0; i < y.shape.size(); ++i) y[i] = v[0][i] * v[1][i];
                            return y;
                          },
                      .meta = false};
  std::string text;
  for (const std::string& f : op_failures(check)) text += f + "\n";
  return text;
}

void expect(const std::string& what, const std::string& text) {
  EXPECT_NE(text.find(what), std::string::npos) << "not found: " << what << "\nin: " << text;
}

TEST(CheckOp, RightOpPasses) { EXPECT_EQ(failures({}), ""); }

TEST(CheckOp, FindsEachMistake) {
  expect("values of output 0", failures({.value = 1e-3f}));
  expect("gradient of a: error", failures({.gradient = 1.001f}));
  expect("finite difference along b", failures({.gradient = 1.1f}));
  expect("does not double", failures({.overwrites = true}));
  expect("gradient of a is not finite or was not written", failures({.writes_nothing = true}));
  expect("other bits with 5 threads", failures({.threads = true}));
  expect("of an arena", failures({.dirty = true}));
  expect("made again in backward", failures({.rebuild = true}));
}

TEST(CheckOp, NamesTheCase) {
  expect("(scale 1, mean 0, f32, a[3, 5] b[3, 5])", failures({.gradient = 2}));
}

// An intermediate value's gradient takes memory, also where no kernel runs.
TEST(CheckOp, FindsMemoryThatMetaMisses) {
  const auto copied = [](const Var& x, bool inside) {
    Tensor y = like(x.t);
    on_device(y, [&](auto& dev) { kernel::copy(dev, {x.t, {y, false}}); });
    return record("copied", y, {x}, [inside](Node& n) {
      const Tensor dy = n.dy();
      Grad dx;
      if (!inside) dx = n.grad_of(0);
      on_device(dy, [&](auto& dev) { kernel::copy(dev, {dy, inside ? n.grad_of(0) : dx}); });
    });
  };
  for (bool inside : {false, true}) {
    std::string text;
    for (const std::string& f : op_failures({.in = {{"x", {3, 500}, kStream}},
                                .op = [&](auto& v) { return copied(copied(v[0], inside), inside); },
                                .ref = [](auto& v) { return v[0]; }})) {
      text += f;
    }
    if (inside)
      expect("bytes, on kMeta", text);
    else
      EXPECT_EQ(text, "");
  }
}

TEST(CheckOp, SameBits) {
  const Tensor a = normal_tensor({2, 3}, 1);
  EXPECT_TRUE(same_bits(a, normal_tensor({2, 3}, 1)));
  EXPECT_FALSE(same_bits(a, normal_tensor({2, 3}, 2)));
  EXPECT_FALSE(same_bits(a, a.view({3, 2})));
  EXPECT_FALSE(same_bits(a, Tensor()));
  EXPECT_TRUE(same_bits(Tensor(), Tensor()));
}

}  // namespace
}  // namespace keel::test
