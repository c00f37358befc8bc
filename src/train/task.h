// What a model learns: the loss of a batch. The shift by one between inputs and targets is the
// data's; the head and the loss are the task's.
#pragma once

#include "config/registry.h"
#include "core/step_state.h"
#include "models/decoder.h"

namespace keel {

struct TaskLoss {
  Var loss;     // f32 [1]: sum over targets * loss_scale, with what the task adds to it
  Tensor rows;  // f32 [b t]: cross-entropy of each target in nats, 0 where it does not count
};

// The tensors of a batch on the device: i32 [b, t] and f32 [b, t].
struct TaskBatch {
  Tensor targets, weights;
};

struct Task {
  virtual ~Task() = default;
  // `state` holds loss_scale; null in evaluation.
  virtual TaskLoss loss(const Decoder& model, Pass& pass, const TaskBatch& batch,
                        const StepState* state) const = 0;
};

const Registry<Task>& tasks();

}  // namespace keel
