// A trainer's state to a checkpoint, at once.
#pragma once

#include <string>

#include "core/error.h"
#include "train/checkpoint.h"

namespace keel {

inline std::string save_trainer(Fs& fs, const std::string& run, const Trainer& trainer,
                                const CheckpointNumbers& numbers, const std::string& config) {
  CheckpointState state(trainer);
  if (const std::string bad = state.take(trainer); !bad.empty()) throw DataError(bad);
  return save_checkpoint(fs, run, checkpoint_content(trainer, state, numbers, config));
}

}  // namespace keel
