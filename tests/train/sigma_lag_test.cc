// How far the one power iteration of a training step leaves sigma-reparam's estimate behind the
// largest singular value of a weight that is being trained.
#include <gtest/gtest.h>

#include <cmath>

#include "ops/sigma_reparam.h"
#include "small_run.h"

namespace keel::test {
namespace {

// sigma after `iterations` from u.
double sigma_of(const Tensor& weight, const Tensor& u, int iterations) {
  const Tensor sigma = empty({1}), at = empty({1, weight.dim(1)});
  const StackedRows rows{{weight.dim(0)}, 1};
  Tensor from = u.view({1, weight.dim(1)});
  for (int i = 0; i < iterations; ++i) {
    spectral_step(weight, rows, from, at, sigma);
    from = at;
  }
  return static_cast<double>(sigma.data<float>()[0]);
}

// The largest relative lag over the linears of the blocks.
double lag_of(const Parameters& all) {
  double lag = 0;
  for (const Parameters::Buffer& b : all.buffers()) {
    if (!b.name.ends_with(".u")) continue;
    const std::string linear = b.name.substr(0, b.name.size() - 2);
    const Tensor& w = parameter(all, linear + ".weight").weight;
    lag = std::max(lag, sigma_of(w, b.tensor, 500) / sigma_of(w, b.tensor, 1) - 1);
  }
  return lag;
}

TEST(SigmaReparam, ItsLagInTraining) {
  for (const char* rate : {"optim.lr=3e-3", "optim.lr=3e-2"}) {
    SmallRun run(kMarkovRun, {"model.linear.kind=sigma_reparam", rate, "train.steps=200"});
    double largest = 0, last = 0;
    EXPECT_LT(lag_of(run.parameters()), 1e-3) << "where training starts";
    for (int64_t i = 0; i < run.config.train.steps; ++i) {
      run->step();
      last = lag_of(run.parameters());
      largest = std::max(largest, last);
    }
    RecordProperty(std::string("largest_") + rate, std::to_string(largest));
    RecordProperty(std::string("last_") + rate, std::to_string(last));
    // The first steps turn the singular vectors of small weights; then the iteration catches up.
    EXPECT_LT(last, 0.1) << rate;
    EXPECT_LT(last, largest) << rate;
    EXPECT_LT(largest, 2) << rate;
  }
}

}  // namespace
}  // namespace keel::test
