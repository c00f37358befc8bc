// Saves checkpoints: of a state that was copied, on a thread of its own while training goes on
// (checkpoint.async), or of the state where it lies, before training goes on.
#pragma once

#include <exception>
#include <memory>
#include <optional>
#include <string>

#include "io/fs.h"
#include "train/checkpoint.h"
#include "train/checkpoint_store.h"

namespace keel {

struct SavedCheckpoint {
  int64_t step = 0;
  std::string path;
  double seconds = 0;  // from begin() until it was published and older ones were rotated out
};

// One thread uses it. `state` must outlive it.
class Saver {
 public:
  // `config`: the resolved TOML, kept in every checkpoint.
  Saver(Fs& fs, std::string run, CheckpointState& state, const Retention& retention,
        std::string config);
  ~Saver();  // waits for a save under way
  Saver(const Saver&) = delete;
  Saver& operator=(const Saver&) = delete;

  // Takes the trainer's state and begins to save it; the trainer may step on at once. Returns what
  // is not finite, and then saves nothing; else an empty text. The save before must have been
  // collected.
  std::string begin(const Trainer& trainer, const CheckpointNumbers& numbers);
  // Saves the same state once more, after a save that failed for want of room.
  void begin_again();
  // Whether a save has begun and was not collected yet.
  bool pending() const { return pending_; }

  // What became of the pending save; nothing while it is under way and `wait` is false, and when
  // none is pending. Throws its error: IoError.
  std::optional<SavedCheckpoint> collect(bool wait);

 private:
  class Worker;
  void start();
  void write() noexcept;

  Fs& fs_;
  std::string run_;
  CheckpointState& state_;
  Retention retention_;
  std::string config_;
  bool pending_ = false;
  // Of the pending save. While the worker is busy they are its own.
  CheckpointContent content_;
  double begun_at_ = 0;
  SavedCheckpoint saved_;
  std::exception_ptr error_;
  std::unique_ptr<Worker> worker_;  // where the state is copied; goes first
};

}  // namespace keel
