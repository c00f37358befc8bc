// A trainer to and from the checkpoint files: which tensors, under which names.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "train/checkpoint_files.h"
#include "train/checkpoint_state.h"
#include "train/trainer.h"

namespace keel {

// What an early stop goes by.
struct EvaluationProgress {
  std::optional<double> best_val_loss;  // none: not evaluated yet
  int64_t evaluations_since = 0;        // that were no better
};

struct CheckpointNumbers {
  double loss = 0, grad_norm = 0;  // of the step that the checkpoint was made after
  EvaluationProgress progress = {};
};

// What every checkpoint of a trainer has in common: tensors, as `state` has them and will have them
// whenever it takes them anew, tokenizer, and `config`, the resolved TOML.
CheckpointContent checkpoint_content(const Trainer& trainer, const CheckpointState& state,
                                     const std::string& config);
// What belongs to the step that the trainer has come to.
void set_numbers(CheckpointContent& content, const Trainer& trainer,
                 const CheckpointNumbers& numbers);

// As the checkpoint has it; nothing where it was written without.
std::optional<EvaluationProgress> progress_in(const LoadedCheckpoint& checkpoint);

// Weights, state and step of a checkpoint into a trainer of the same config. DataError naming file
// and tensor when it belongs to another model. `changed`: the config has been changed since, so
// state that the trainer has no use for is passed over.
void load_trainer(const LoadedCheckpoint& checkpoint, Trainer& trainer, bool changed = false);

// Weights alone, from a run (its newest checkpoint that verifies), a checkpoint folder or a
// model.safetensors. Returns lines for the log: newer checkpoints that were passed over. DataError
// naming file and tensor, both shapes, when they do not fit.
std::vector<std::string> load_weights(const std::string& from, Decoder& model);
void load_weights(const SafetensorsFile& file, Decoder& model);

}  // namespace keel
