// Identities of the feed-forward forms (Shazeer, arXiv 2002.05202).
#include "nn/ffn/ffn.h"

#include <gtest/gtest.h>

#include <cmath>

#include "harness/check_op.h"

namespace keel::test {
namespace {

struct OneFfn {
  Parameters parameters{DeviceKind::kCpu, DType::kF32};
  std::unique_ptr<Sublayer> ffn;

  OneFfn(const std::string& kind, int64_t dim) {
    const LinearChoice plain(linears(), "plain");
    ffn = ffns().make(FfnChoice(ffns(), kind), {parameters, "ffn", dim, false, 0, plain});
    parameters.allocate();
    parameters.fill(*inits().make("gpt2", InitArgs{}), 1);
  }
  Tensor forward(const Tensor& x) const {
    NoGrad off;
    Pass pass;
    return ffn->forward(x, pass).t;
  }
};

bool is_gated(const std::string& kind) {
  return kind.find("glu") != kind.npos || kind == "bilinear" || kind == "gated_elu";
}

TEST(Ffn, GatedFormsHaveEqualParameters) {
  for (const int64_t dim : {256, 384, 520}) {
    const double plain = 8.0 * double(dim) * double(dim);
    for (const std::string& kind : ffns().names()) {
      const OneFfn f(kind, dim);
      EXPECT_NEAR(double(f.parameters.count()) / plain, 1, is_gated(kind) ? 0.01 : 0) << kind;
      EXPECT_EQ(f.parameters.list().size(), is_gated(kind) ? 3 : 2) << kind;
    }
  }
}

TEST(Ffn, BilinearIsOfDegreeTwo) {
  const OneFfn f("bilinear", 24);
  const std::vector<float> once = to_host(f.forward(normal_tensor({1, 5, 24}, 1)));
  const std::vector<float> twice = to_host(f.forward(normal_tensor({1, 5, 24}, 1, 2)));
  for (size_t i = 0; i < once.size(); ++i) EXPECT_EQ(twice[i], 4 * once[i]);
}

// relu2 is of degree two and relu of degree one, for factors above 0.
TEST(Ffn, DegreeOfThePlainForms) {
  for (const auto& [kind, factor] :
       std::vector<std::pair<std::string, float>>{{"relu", 2.0f}, {"relu2", 4.0f}}) {
    const OneFfn f(kind, 24);
    const std::vector<float> once = to_host(f.forward(normal_tensor({1, 5, 24}, 1)));
    const std::vector<float> twice = to_host(f.forward(normal_tensor({1, 5, 24}, 1, 2)));
    for (size_t i = 0; i < once.size(); ++i) EXPECT_EQ(twice[i], factor * once[i]) << kind;
  }
}

}  // namespace
}  // namespace keel::test
