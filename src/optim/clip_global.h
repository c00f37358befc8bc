// Gradients are scaled down so that their global norm stays at or below a bound (Pascanu et al.,
// arXiv 1211.5063; the numbers of PyTorch's clip_grad_norm_); or are left alone.
#pragma once

#include "ops/grad_norm.h"
#include "optim/clip.h"

namespace keel {

class NoClip final : public Clip {
 public:
  using Config = NoOptions;
  NoClip(const Config&, const ClipArgs& args) : norm_(std::vector<Tensor>{args.gradients}) {}
  void compute(StepState* state) override { norm_.compute(0, state); }

 private:
  GradNorm norm_;
};

class GlobalClip final : public Clip {
 public:
  struct Config final : keel::Config {
    double norm = 1.0;
    void fields(Fields& f) override {
      f("norm", norm, "largest global gradient norm; 0: no clipping", at_least(0));
    }
  };
  GlobalClip(const Config& config, const ClipArgs& args)
      : bound_(static_cast<float>(config.norm)), norm_(std::vector<Tensor>{args.gradients}) {}
  void compute(StepState* state) override { norm_.compute(bound_, state); }

 private:
  float bound_;
  GradNorm norm_;
};

}  // namespace keel
