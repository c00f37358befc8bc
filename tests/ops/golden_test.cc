// Values and gradients of the ops against PyTorch's (tools/make_golden_ops.py).
#include "harness/golden.h"

#include <gtest/gtest.h>

#include <functional>

#include "harness/check_op.h"
#include "ops/add.h"
#include "ops/copy.h"
#include "ops/embedding.h"
#include "ops/gated.h"
#include "ops/layer_norm.h"
#include "ops/linear.h"
#include "ops/rms_norm.h"
#include "ops/rope.h"

namespace keel::test {
namespace {

constexpr float kEps = 1e-5f;
constexpr int64_t kOffset = 3;

// v: the inputs of the case, of which the first `ids` are constants.
void compare(const std::string& name, int inputs, const std::function<Var(std::vector<Var>&)>& op,
             int ids = 0) {
  SCOPED_TRACE(name);
  const Golden golden("ops.safetensors");
  const auto at = [&](const std::string& key) { return golden.tensor(name + "." + key); };
  std::vector<Slot> slots(inputs);
  std::vector<Var> v;
  for (int i = 0; i < inputs; ++i) {
    v.emplace_back(at("in" + std::to_string(i)), i < ids ? nullptr : &slots[i]);
  }
  const Var y = op(v);
  EXPECT_LT(relative_error(y.t, at("y")), 1e-5);
  backward(y, at("dy"));
  for (int i = ids; i < inputs; ++i) {
    EXPECT_LT(relative_error(slots[i].grad, at("d" + std::to_string(i))), 1e-4) << "input " << i;
  }
}

TEST(PyTorch, Norms) {
  compare("layer_norm", 3, [](auto& v) { return layer_norm(v[0], v[1], v[2], kEps, DType::kF32); });
  compare("rms_norm", 2, [](auto& v) { return rms_norm(v[0], v[1], {}, kEps, DType::kF32); });
  compare("add_layer_norm", 4, [](auto& v) {
    const AddNorm a = add_layer_norm(v[0], v[1], v[2], v[3], kEps, DType::kF32);
    return add(a.sum, a.y);
  });
}

TEST(PyTorch, Activations) {
  const std::pair<const char*, Activation> kinds[] = {
      {"gelu", Activation::kGelu},       {"gelu_erf", Activation::kGeluErf},
      {"relu", Activation::kRelu},       {"silu", Activation::kSilu},
      {"sigmoid", Activation::kSigmoid}, {"identity", Activation::kIdentity}};
  for (const auto& [name, kind] : kinds) {
    compare(name, 1, [&](auto& v) { return activation(v[0], kind); });
    compare(std::string("gated_") + name, 1, [&](auto& v) { return gated(v[0], kind); });
  }
}

TEST(PyTorch, Linear) {
  compare("linear", 3, [](auto& v) { return linear(v[0], v[1], v[2]); });
}

TEST(PyTorch, Embedding) {
  compare(
      "embedding", 3, [](auto& v) { return embedding(v[0].t, v[1], v[2], {}, kOffset); }, 1);
}

// q, k and v of a token side by side: one output to compare.
Var joined(const Qkv& r) {
  const int64_t b = r.q.t.dim(0), t = r.q.t.dim(1), heads = r.q.t.dim(2), kv = r.k.t.dim(2);
  Tensor y = empty({b, t, heads + 2 * kv, r.q.t.dim(3)});
  const auto part = [=](const Tensor& x, int i) {
    return i == 0 ? x.slice(2, 0, heads) : x.slice(2, heads + (i - 1) * kv, heads + i * kv);
  };
  int i = 0;
  for (const Var* v : {&r.q, &r.k, &r.v}) kernel::copy(cpu(), {v->t, {part(y, i++), false}});
  return record("joined", y, {r.q, r.k, r.v}, [part](Node& n) {
    for (int k = 0; k < 3; ++k) kernel::copy(cpu(), {part(n.dy(), k), n.grad_of(k)});
  });
}

QkvOptions options(QkNorm norm) {
  return {.heads = 4,
          .kv_heads = 2,
          .head_dim = 12,
          .norm = norm,
          .eps = kEps,
          .rope = rope_tables(16, 12, 10000),
          .offset = kOffset,
          .segments = {}};
}

TEST(PyTorch, QkNormAndRope) {
  compare("qkv_rms", 3, [](auto& v) {
    return joined(split_qkv(v[0], {v[1], v[2], {}, {}}, options(QkNorm::kRms)));
  });
  compare("qkv_layer", 5, [](auto& v) {
    return joined(split_qkv(v[0], {v[1], v[2], v[3], v[4]}, options(QkNorm::kLayer)));
  });
}

}  // namespace
}  // namespace keel::test
