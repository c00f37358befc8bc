// Fixed waves added to the embedding (Vaswani et al., arXiv 1706.03762, section 3.5): position p
// has sin(p / 10000^(2 i / dim)) and cos of the same. `interleaved` is the paper's layout, sin in
// the even and cos in the odd channels; `concatenated` is tensor2tensor's, all sines first, with
// frequencies from 1 to exactly 1 / 10000. An odd dim has no cos for its last sin, or a 0.
#pragma once

#include "nn/position/position.h"

namespace keel {

class SinusoidalPosition final : public Position {
 public:
  struct Config final : keel::Config {
    std::string layout = "interleaved";
    bool scale_embedding = true;
    void fields(Fields& f) override {
      f("layout", layout, "order of sines and cosines", one_of({"interleaved", "concatenated"}));
      f("scale_embedding", scale_embedding, "the embedding is multiplied by sqrt(dim) first");
    }
  };
  SinusoidalPosition(const Config& config, const PositionArgs& args);
  Var table() const override { return Var(table_); }
  double embedding_scale() const override { return scale_; }

 private:
  Tensor table_;
  double scale_;
};

// Row-major [positions, dim].
std::vector<float> sinusoids(int64_t positions, int64_t dim, bool concatenated);

}  // namespace keel
