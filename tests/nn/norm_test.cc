// What each norm promises, under its name in the registry.
#include "nn/norm/norm.h"

#include <gtest/gtest.h>

#include <cmath>

#include "config/load.h"
#include "core/error.h"
#include "harness/check_op.h"
#include "harness/expect_error.h"
#include "nn/norm/partial_rms.h"

namespace keel::test {
namespace {

struct NormHolder final : Config {
  NormChoice norm{norms(), "rms"};
  void fields(Fields& f) override { f("norm", norm, "a norm"); }
};

// A norm over `dim` values by its TOML; gains and biases as they start, or moved away from there.
struct Built {
  Parameters parameters{DeviceKind::kCpu, DType::kF32};
  std::unique_ptr<Norm> norm;

  explicit Built(const std::string& toml, int64_t dim, double scale = 1, bool moved = false) {
    NormHolder holder;
    load_config_text("norm.toml", "[norm]\n" + toml, {}, holder);
    norm = norms().make(holder.norm, {parameters, "norm", dim, scale});
    parameters.allocate();
    parameters.fill(*inits().make("gpt2", InitArgs{}), 1);
    uint64_t seed = 0;
    for (const Parameter& p : parameters.list()) {
      if (!moved) continue;
      const std::vector<float> noise = normal_values(p.weight.size(), ++seed, 0.5);
      for (size_t i = 0; i < noise.size(); ++i) p.weight.data<float>()[i] += noise[i];
    }
  }
  Tensor operator()(const Tensor& x) const { return norm->forward(x, DType::kF32).t; }
};

Tensor map(const Tensor& x, float factor, float shift) {
  std::vector<float> v = to_host(x);
  for (float& e : v) e = factor * e + shift;
  return from_host(x.shape(), v);
}

Tensor centred(const Tensor& x) {
  std::vector<float> v = to_host(x);
  const int64_t c = x.dim(-1);
  for (int64_t r = 0; r < x.rows(); ++r) {
    double mean = 0;
    for (int64_t i = 0; i < c; ++i) mean += double(v[size_t(r * c + i)]) / double(c);
    for (int64_t i = 0; i < c; ++i) v[size_t(r * c + i)] -= static_cast<float>(mean);
  }
  return from_host(x.shape(), v);
}

double root_mean_square(const Tensor& x, int64_t row) {
  double square = 0;
  const int64_t c = x.dim(-1);
  for (int64_t i = 0; i < c; ++i) square += std::pow(double(x.data<float>()[row * c + i]), 2);
  return std::sqrt(square / double(c));
}

const Tensor& data() {
  static const Tensor x = normal_tensor({4, 48}, 7, 2, 0.5);
  return x;
}

TEST(RmsNorm, KnowsScaleNotShift) {
  const Built rms("kind = 'rms'\neps = 0", 48);
  EXPECT_LT(relative_error(rms(map(data(), 3, 0)), rms(data())), 1e-6);
  EXPECT_GT(relative_error(rms(map(data(), 1, 1)), rms(data())), 0.1);
}

TEST(LayerNorm, KnowsNeitherScaleNorShift) {
  const Built layer("kind = 'layer'\neps = 0", 48);
  EXPECT_LT(relative_error(layer(map(data(), 3, 0)), layer(data())), 1e-6);
  EXPECT_LT(relative_error(layer(map(data(), 1, 1)), layer(data())), 1e-5);
}

TEST(RmsNorm, IsLayerNormWhereTheMeanIsZero) {
  const Built rms("kind = 'rms'\nbias = true", 48), layer("kind = 'layer'", 48);
  EXPECT_LT(relative_error(rms(centred(data())), layer(centred(data()))), 1e-6);
}

TEST(PartialRmsNorm, OfAllValuesIsRmsNorm) {
  const Built partial("kind = 'prms'\nshare = 1", 48, 1, true), rms("kind = 'rms'", 48, 1, true);
  EXPECT_TRUE(same_bits(partial(data()), rms(data())));
}

TEST(PartialRmsNorm, CountsAtLeastOneValue) {
  PartialRmsNorm::Config c;
  EXPECT_EQ(c.first(768), 48);
  EXPECT_EQ(c.first(100), 7);  // ceil(6.25)
  EXPECT_EQ(c.first(5), 1);
  EXPECT_EQ(c.first(1), 1);
  c.share = 0.1;
  EXPECT_EQ(c.first(30), 3);
  c.share = 1;
  EXPECT_EQ(c.first(30), 30);
}

TEST(PartialRmsNorm, LooksAtTheFirstValues) {
  const Built partial("kind = 'prms'", 48);  // 3 of 48
  Tensor x = map(data(), 1, 0);
  const Tensor before = partial(x);
  x.data<float>()[3] += 5;
  const Tensor after = partial(x);
  for (int i = 0; i < 48; ++i) {
    if (i == 3) continue;
    EXPECT_EQ(before.data<float>()[i], after.data<float>()[i]);
  }
  x.data<float>()[2] += 5;
  EXPECT_NE(partial(x).data<float>()[40], after.data<float>()[40]);
}

TEST(UnitNorm, IsRmsNormWithoutEpsilon) {
  const Built unit("kind = 'l2'", 48, 1, true), rms("kind = 'rms'\neps = 0", 48, 1, true);
  EXPECT_LT(relative_error(unit(data()), rms(data())), 1e-6);
}

TEST(UnitNorm, HasUnitLength) {
  const Built unit("kind = 'l2'\nscale_sqrt_dim = false", 48);
  for (const float factor : {1e-6f, 1.0f, 1e6f}) {
    const Tensor y = unit(map(data(), factor, 0));
    for (int64_t r = 0; r < 4; ++r) EXPECT_NEAR(root_mean_square(y, r) * std::sqrt(48.0), 1, 1e-5);
  }
  const Tensor zero = unit(map(data(), 0, 0));
  for (const float v : to_host(zero)) EXPECT_EQ(v, 0);
}

TEST(DynamicTanh, StartsAtTanhOfHalf) {
  const Built dyt("kind = 'dyt'", 48);
  const Tensor y = dyt(data());
  for (int64_t i = 0; i < y.size(); ++i) {
    EXPECT_NEAR(y.data<float>()[i], std::tanh(0.5f * data().data<float>()[i]), 1e-6);
  }
}

// The options that all norms share.
TEST(Norm, ZeroCentredGainsAreTheSameNorm) {
  for (const char* kind : {"rms", "layer", "prms", "l2", "dyt"}) {
    const std::string toml = std::string("kind = '") + kind + "'\n";
    const Built plain(toml, 48), shifted(toml + "zero_centred = true", 48);
    for (const Parameter& p : shifted.parameters.list()) {
      if (p.name != "norm.gain") continue;
      EXPECT_EQ(p.weight.data<float>()[5], 0);
    }
    EXPECT_TRUE(same_bits(plain(data()), shifted(data()))) << kind;
    const Built none(toml + "gain = false\nbias = false", 48);
    EXPECT_TRUE(same_bits(plain(data()), none(data()))) << kind;
  }
}

TEST(Norm, ScaleIsOfTheWholeOutput) {
  for (const char* kind : {"rms", "layer", "prms", "l2", "dyt"}) {
    for (const char* option : {"bias = true", "zero_centred = true", "gain = false"}) {
      const std::string toml = std::string("kind = '") + kind + "'\n" + option;
      const Built one(toml, 48, 1, true), half(toml, 48, 0.5, true);
      EXPECT_TRUE(same_bits(map(one(data()), 0.5f, 0), half(data()))) << kind << option;
    }
  }
}

TEST(Norm, EpsilonInsideAndOutside) {
  const Built in("kind = 'rms'\neps = 0.25", 48),
      out("kind = 'rms'\neps = 0.25\neps_inside = false", 48);
  const double rms = root_mean_square(data(), 0), x = double(data().data<float>()[0]);
  EXPECT_NEAR(in(data()).data<float>()[0], x / std::sqrt(rms * rms + 0.25), 1e-6);
  EXPECT_NEAR(out(data()).data<float>()[0], x / (rms + 0.25), 1e-6);
}

// The fused forms are the add and the norm one after the other.
TEST(Norm, AddForms) {
  const Tensor branch = normal_tensor({4, 48}, 8);
  for (const std::string& kind : norms().names()) {
    const Built b("kind = '" + kind + "'" + (kind == "batch" ? "\nallow_leak = true" : ""), 48, 1,
                  true);
    const AddNorm one = b.norm->add_forward(data(), branch, DType::kF32);
    EXPECT_TRUE(same_bits(one.y.t, b(one.sum.t))) << kind;
    const AddNorm two = b.norm->scaled_add_forward(data(), 2, branch, DType::kF32);
    EXPECT_TRUE(same_bits(two.y.t, b(two.sum.t))) << kind;
    const float want = 2 * data().data<float>()[9] + branch.data<float>()[9];
    EXPECT_FLOAT_EQ(two.sum.t.data<float>()[9], want) << kind;
  }
}

TEST(BatchNorm, DependsOnTheOtherRowsInTrainingOnly) {
  const Built b("kind = 'batch'\nallow_leak = true", 48);
  Tensor x = map(data(), 1, 0);
  for (const bool training : {true, false}) {
    b.parameters.begin_pass(training);
    const float before = b(x).data<float>()[0];
    x.data<float>()[3 * 48] += 1;
    if (training) {
      EXPECT_NE(b(x).data<float>()[0], before);
    } else {
      EXPECT_EQ(b(x).data<float>()[0], before);
    }
  }
}

TEST(BatchNorm, KeepsRunningAverages) {
  const Built b("kind = 'batch'\nallow_leak = true\nmomentum = 1", 48);
  ASSERT_EQ(b.parameters.buffers().size(), 2u);
  EXPECT_EQ(b.parameters.buffers()[0].name, "norm.running_mean");
  EXPECT_EQ(b.parameters.buffers()[1].name, "norm.running_variance");
  b.parameters.begin_pass(true);
  const Tensor in_training = b(data());
  b.parameters.begin_pass(false);
  // With the variance over n - 1 = 3 of 4 rows.
  EXPECT_LT(relative_error(map(b(data()), std::sqrt(4.0f / 3), 0), in_training), 1e-4);
}

TEST(Norm, Refusals) {
  expect_error<ConfigError>(
      "norm.toml:3:16: norm.zero_centred: there is no gain to be stored; leave it out, or set gain "
      "= true",
      [] { Built("kind = 'rms'\nzero_centred = true\ngain = false", 8); });
  expect_error<ConfigError>(
      "norm.toml:2:8: norm.kind: the statistics of a batch tell each token about later ones, so a "
      "causal model sees the future in training; as a negative control set allow_leak = true",
      [] { Built("kind = 'batch'", 8); });
}

}  // namespace
}  // namespace keel::test
