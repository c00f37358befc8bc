// A run from its config to a trainer that is ready to step: everything is checked in the order in
// which it can be refused cheaply: config, device and memory, the run's folder, data, weights.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/load.h"
#include "io/fs.h"
#include "train/checkpoint.h"
#include "train/config.h"
#include "train/plan.h"
#include "train/run_dir.h"
#include "train/trainer.h"

namespace keel {

struct Session {
  RunConfig config;
  LoadedConfig loaded;
  std::string config_text;         // resolved TOML with origins
  std::vector<std::string> notes;  // for the log: what was decided and why
  std::vector<std::string> warnings;
  std::unique_ptr<RunDir> dir;
  std::unique_ptr<Dataset> data;
  std::unique_ptr<Trainer> trainer;
  std::unique_ptr<CheckpointState> checkpoint;  // made before the first step, for its memory
  Plan plan;                                    // what was found before the memory was taken
  int64_t resumed_at = 0;
  std::optional<EvaluationProgress> progress;  // of a run that goes on
};

// A new run from a config file; `out` empty: a name made from time and config under runs/.
// Throws ConfigError, DeviceError, MemoryError, DataError, IoError; a run that cannot begin leaves
// nothing behind.
Session create_session(Fs& fs, const std::string& config_path, const std::vector<std::string>& sets,
                       const std::string& out);

// An existing run at its newest checkpoint that verifies, or at step 0 without one. Keys that
// differ from the checkpoint's are noted; ConfigError when it does not fit them (resume_changes.h).
// DataError when the data is not what it was when the run began, or with `changed_data` a warning.
Session resume_session(Fs& fs, const std::string& run, const std::vector<std::string>& sets,
                       bool changed_data = false);

// A trained model alone, for evaluation and generation.
struct TrainedModel {
  RunConfig config;
  std::unique_ptr<Tokenizer> tokenizer;
  std::unique_ptr<Decoder> model;
  std::string path;  // of the checkpoint
  int64_t step = 0;
  std::vector<std::string> notes;
};
// From a run (its newest checkpoint) or a checkpoint folder, with its number of threads from here
// on. DataError when there is none.
TrainedModel open_model(const std::string& run_or_checkpoint);

}  // namespace keel
