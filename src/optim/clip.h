// What is done to gradients that are too large, before the optimizer reads them. A variant is one
// file pair and one line in clip_registry.cc.
#pragma once

#include <vector>

#include "config/registry.h"
#include "core/step_state.h"
#include "optim/optimizer.h"

namespace keel {

struct ClipArgs {
  const Params& params;
  Tensor gradients;  // f32: those of all parameters in one flat buffer
};

struct Clip {
  Clip() = default;
  Clip(const Clip&) = delete;
  Clip& operator=(const Clip&) = delete;
  virtual ~Clip() = default;

  // Writes, where `state` lives, grad_norm (before clipping) and clip_coefficient (what gradients
  // are still to be multiplied by). A norm that is not finite sets nonfinite and skip; in a step
  // that is skipped nothing of the clip's own changes. Allocates nothing.
  virtual void compute(StepState* state) = 0;
  // As Optimizer::state().
  virtual std::vector<StateTensor> state() const { return {}; }
};

const Registry<Clip, const ClipArgs&>& clips();

// The table [clip].
struct ClipConfig final : Config {
  Variant<Clip, const ClipArgs&> kind{clips(), "global"};
  void fields(Fields& f) override { f.kind(kind, "what is done to gradients that are too large"); }
};

}  // namespace keel
