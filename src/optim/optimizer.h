// What turns gradients into new weights. A variant is one file pair and one line in registry.cc.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/registry.h"
#include "core/step_state.h"
#include "optim/param.h"

namespace keel {

// A tensor that must be saved for training to go on with the same bits: "m/NAME", "updates".
struct StateTensor {
  std::string name;
  Tensor tensor;  // shares the optimizer's memory
};

struct Optimizer {
  Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;
  virtual ~Optimizer() = default;

  // The rate at schedule factor 1.
  virtual double peak_rate() const = 0;
  // One update of all parameters (and their bf16 copies) from their gradients times
  // clip_coefficient, at `rate` and `factor`. `state` lives on the parameters' device and is read
  // there. With state->skip nothing changes: neither weights nor the optimizer's own tensors.
  // Allocates nothing.
  virtual void step(const StepState* state) = 0;
  // Names are unique and stay the same from run to run. Writing into the tensors restores them.
  virtual std::vector<StateTensor> state() const = 0;
  // Memory beside state() that grows with the model.
  virtual int64_t working_bytes() const { return 0; }
};

// The root of all optimizers' options: what others must know before anything is built.
struct OptimizerOptions : Config {
  // Whether the momentum can come from the schedule (StepState::momentum) instead of the config.
  virtual bool takes_momentum() const { return false; }
  // Whether a weight decay is on and goes with a parameter's rate.
  virtual bool decays_with_rate() const = 0;
  // Why updates are not as large as Adam's whatever the gradients and the width, so that rates that
  // a parametrisation has for Adam do not hold; none where they do.
  struct UnlikeAdam {
    const char *key, *is, *instead;  // of [optim]; what these updates are; what to do
  };
  virtual std::optional<UnlikeAdam> unlike_adam() const { return std::nullopt; }
};

// The keys `decay` and `update_clip` of the optimizers that have them.
void decay_field(Fields& f, std::string& decay);
void update_clip_field(Fields& f, double& bound);

// Throws ShapeError naming the parameter when weight, gradient and copy do not fit together.
void check_params(const Params& params);

const Registry<Optimizer, const Params&>& optimizers();

// What the rate and the weight decay of a group of parameters are multiplied by.
struct GroupConfig final : Config {
  double rate = 1, decay = 1;
  void fields(Fields& f) override;
};

// Token and position tables; the untied head; matrices of the blocks; gains, biases and whatever
// else has one axis.
struct GroupsConfig final : Config {
  GroupConfig embedding, head, matrix, vector;
  GroupsConfig() { vector.decay = 0; }
  void fields(Fields& f) override;
  const GroupConfig& of(Group group) const;
};

struct QkClipConfig final : Config {
  double tau = 0;
  void fields(Fields& f) override;
};

// The table [optim].
struct OptimConfig final : Config {
  Variant<Optimizer, const Params&> kind{optimizers(), "adamw"};
  GroupsConfig groups;
  QkClipConfig qk_clip;
  void fields(Fields& f) override;
};

}  // namespace keel
