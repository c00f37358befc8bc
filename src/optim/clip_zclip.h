// ZClip: a gradient is scaled down when its global norm is an outlier among those before it.
#pragma once

#include "ops/grad_norm.h"
#include "ops/zclip.h"
#include "optim/clip.h"

namespace keel {

class ZClip final : public Clip {
 public:
  struct Config final : keel::Config {
    double threshold = 2.5;
    double alpha = 0.97;
    int64_t warmup = 25;
    std::string mode = "adaptive";
    double factor = 1;
    double norm = 1;
    void fields(Fields& f) override;
  };
  ZClip(const Config& config, const ClipArgs& args);

  void compute(StepState* state) override;
  std::vector<StateTensor> state() const override;

 private:
  Config config_;
  GradNorm norm_;
  Tensor mean_, variance_, seen_;
};

}  // namespace keel
