#include "nn/attention/qk_norm.h"

namespace keel {
namespace {

class RmsHeadNorm final : public HeadNorm {
 public:
  struct Config final : keel::Config {
    double eps = 1e-5;
    void fields(Fields& f) override { f("eps", eps, "added to the mean square", at_least(0)); }
  };
  RmsHeadNorm(const Config& c, const QkNormArgs& a)
      : eps_(static_cast<float>(c.eps)),
        q_gain_(a.parameters.add(a.name + ".q_norm.gain", {a.head_dim}, Role::kGain)),
        k_gain_(a.parameters.add(a.name + ".k_norm.gain", {a.head_dim}, Role::kGain)) {}
  QkNorm kind() const override { return QkNorm::kRms; }
  float eps() const override { return eps_; }
  QkNormParameters parameters() const override { return {q_gain_.var(), k_gain_.var(), {}, {}}; }

 private:
  float eps_;
  ParameterRef q_gain_, k_gain_;
};

class LayerHeadNorm final : public HeadNorm {
 public:
  struct Config final : keel::Config {
    double eps = 1e-5;
    bool bias = true;
    void fields(Fields& f) override {
      f("eps", eps, "added to the variance", at_least(0));
      f("bias", bias, "whether a bias is added after the gain");
    }
  };
  LayerHeadNorm(const Config& c, const QkNormArgs& a)
      : eps_(static_cast<float>(c.eps)),
        q_gain_(a.parameters.add(a.name + ".q_norm.gain", {a.head_dim}, Role::kGain)),
        k_gain_(a.parameters.add(a.name + ".k_norm.gain", {a.head_dim}, Role::kGain)) {
    if (!c.bias) return;
    q_bias_ = a.parameters.add(a.name + ".q_norm.bias", {a.head_dim}, Role::kBias);
    k_bias_ = a.parameters.add(a.name + ".k_norm.bias", {a.head_dim}, Role::kBias);
  }
  QkNorm kind() const override { return QkNorm::kLayer; }
  float eps() const override { return eps_; }
  QkNormParameters parameters() const override {
    return {q_gain_.var(), k_gain_.var(), q_bias_.var(), k_bias_.var()};
  }

 private:
  float eps_;
  ParameterRef q_gain_, k_gain_, q_bias_, k_bias_;
};

}  // namespace

// THE list of norms of queries and keys; "none" is allowed beside it.
const Registry<HeadNorm, const QkNormArgs&>& qk_norms() {
  using R = Registry<HeadNorm, const QkNormArgs&>;
  static const R r{"QK-norm",
                   {R::entry<RmsHeadNorm>("rms", "RMSNorm over each head"),
                    R::entry<LayerHeadNorm>("layer", "LayerNorm over each head")}};
  return r;
}

}  // namespace keel
