// The norm of queries and keys after the projection, and of values where asked for (QK-norm: Henry
// et al., arXiv 2010.04245; Dehghani et al., arXiv 2302.05442; QKV-norm: Rybakov et al., arXiv
// 2410.16682). Over each head or over the whole width, gains shared by the heads or not, before
// RoPE or after it.
#pragma once

#include <string>

#include "nn/parameters.h"
#include "ops/split_heads.h"

namespace keel {

struct QkNormArgs {
  Parameters& parameters;
  std::string name;
  int64_t head_dim, heads, kv_heads;
  bool values;  // v is normed as well
};

// What all kinds let one choose.
struct QkNormOptions : Config {
  std::string axis = "head", gain = "shared";
  bool after_rope = false;

 protected:
  void shape_fields(Fields& f);
};

class HeadNorm {
 public:
  virtual ~HeadNorm() = default;
  HeadForm query() const { return form(q_); }
  HeadForm key() const { return form(k_); }
  // Never behind the rotation: values are not turned.
  HeadForm value() const;
  // Of kTanh, as SplitHeads has them; else empty.
  Var alphas() const { return alphas_.var(); }
  // What stands in for 1 / sqrt(head_dim) and whether it is learned; 0: nothing does.
  virtual double scale() const { return 0; }
  virtual bool learns_scale() const { return false; }

 protected:
  HeadNorm(HeadNormKind kind, double eps, const QkNormOptions& options, bool bias,
           const QkNormArgs& args, double share = 1);
  // One for each of q, k and v, or, where heads have gains and statistics of their own, each head.
  void add_alphas(const QkNormOptions& options, const QkNormArgs& args, double start);

 private:
  struct Trained {
    ParameterRef gain, bias;
  };
  HeadForm form(const Trained& t) const;
  HeadForm form_;
  bool values_;
  Trained q_, k_, v_;
  ParameterRef alphas_;
};

class RmsHeadNorm final : public HeadNorm {
 public:
  struct Config final : QkNormOptions {
    double eps = 1e-5;
    void fields(Fields& f) override;
  };
  RmsHeadNorm(const Config& c, const QkNormArgs& a)
      : HeadNorm(HeadNormKind::kRms, c.eps, c, false, a) {}
};

// The mean square is that of the first ceil(share n) values of a head (or of the width) alone.
class PartialRmsHeadNorm final : public HeadNorm {
 public:
  struct Config final : QkNormOptions {
    double eps = 1e-5, share = 0.0625;
    void fields(Fields& f) override;
  };
  PartialRmsHeadNorm(const Config& c, const QkNormArgs& a)
      : HeadNorm(HeadNormKind::kPartialRms, c.eps, c, false, a, c.share) {}
};

class LayerHeadNorm final : public HeadNorm {
 public:
  struct Config final : QkNormOptions {
    double eps = 1e-5;
    bool bias = true;
    void fields(Fields& f) override;
  };
  LayerHeadNorm(const Config& c, const QkNormArgs& a)
      : HeadNorm(HeadNormKind::kLayer, c.eps, c, c.bias, a) {}
};

// Scores are cosines times a scale that each head learns.
class L2HeadNorm final : public HeadNorm {
 public:
  struct Config final : QkNormOptions {
    double eps = 1e-12, scale = 10;
    bool learned = true;
    Config() { gain = "none"; }
    void fields(Fields& f) override;
  };
  L2HeadNorm(const Config& c, const QkNormArgs& a)
      : HeadNorm(HeadNormKind::kL2, c.eps, c, false, a), scale_(c.scale), learned_(c.learned) {}
  double scale() const override { return scale_; }
  bool learns_scale() const override { return learned_; }

 private:
  double scale_;
  bool learned_;
};

// DyT in a norm's place: tanh(alpha x), alpha trained (Zhu et al., arXiv 2503.10622). It takes no
// statistics; it bounds the logits because no value is above its gain.
class TanhHeadNorm final : public HeadNorm {
 public:
  struct Config final : QkNormOptions {
    double alpha = 0.5;
    bool bias = true;
    void fields(Fields& f) override;
  };
  TanhHeadNorm(const Config& c, const QkNormArgs& a)
      : HeadNorm(HeadNormKind::kTanh, 0, c, c.bias, a) {
    add_alphas(c, a, c.alpha);
  }
};

const Registry<HeadNorm, const QkNormArgs&>& qk_norms();
using QkNormChoice = Variant<HeadNorm, const QkNormArgs&>;

}  // namespace keel
