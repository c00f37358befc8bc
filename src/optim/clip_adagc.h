// AdaGC: a tensor's gradient is scaled down when its norm is well above what it usually is.
#pragma once

#include "ops/adagc.h"
#include "ops/grad_norm.h"
#include "optim/clip.h"

namespace keel {

class AdaGcClip final : public Clip {
 public:
  struct Config final : keel::Config {
    double relative = 1.05;
    double beta = 0.98;
    int64_t warmup = 100;
    double norm = 1;
    double floor = 1e-4;
    void fields(Fields& f) override;
  };
  AdaGcClip(const Config& config, const ClipArgs& args);

  void compute(StepState* state) override;
  std::vector<StateTensor> state() const override;

 private:
  Config config_;
  GradNorm norm_;
  Tensor average_, scale_, seen_;
  std::vector<kernel::AdaGcPart> parts_;
};

}  // namespace keel
