// A trainer's state to a checkpoint, at once.
#pragma once

#include <string>

#include "core/error.h"
#include "train/checkpoint.h"

namespace keel {

inline std::string save_trainer(Fs& fs, const std::string& run, const Trainer& trainer,
                                const CheckpointNumbers& numbers, const std::string& config) {
  CheckpointState state(trainer);
  if (const std::string bad = state.take(); !bad.empty()) throw DataError(bad);
  CheckpointContent content = checkpoint_content(trainer, state, config);
  set_numbers(content, trainer, numbers);
  return save_checkpoint(fs, run, content);
}

}  // namespace keel
