// What one forward pass through the model carries besides the values: who sees whom, where in the
// sequence it stands, randomness, probes, and the state that a mixer keeps between passes.
#pragma once

#include <string>
#include <vector>

#include "autograd/var.h"
#include "core/probes.h"
#include "core/step_state.h"
#include "core/tensor.h"

namespace keel {

// State of one mixer (a key-value cache, a recurrent state): named tensors that a checkpoint can
// hold.
struct MixerState {
  struct Named {
    std::string name;
    Tensor tensor;
  };
  std::vector<Named> tensors;
};

struct Pass {
  Tensor tokens;       // i32 [b, t]
  Tensor segments;     // i32 [b, t] or empty: index of the first token of this token's document
  int64_t offset = 0;  // tokens that the states have seen already
  const StepState* step = nullptr;            // null: evaluation, no dropout
  Probes* probes = nullptr;                   // filled where wanted
  Var penalty;                                // f32 [1]: what layers add to the loss; may be empty
  std::vector<MixerState>* states = nullptr;  // [layers], or null: no state is carried
};

}  // namespace keel
