// The loop of a run: steps, evaluations, samples, checkpoints, until the last step, a stop request,
// a value that is not finite, or no more progress.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/stop.h"
#include "io/fs.h"
#include "train/observer.h"
#include "train/saver.h"
#include "train/session.h"

namespace keel {

enum class RunEnd : uint8_t {
  kFinished,
  kStopped,   // asked to; everything is saved
  kDiverged,  // a loss, of training or validation, or a gradient that is not finite
  kEarly,     // stop.patience evaluations without a better validation loss, or given up
};

struct RunOutcome {
  RunEnd end = RunEnd::kFinished;
  int64_t steps = 0, tokens = 0;            // of the whole run, resumed parts included
  std::optional<double> val_loss;           // of the evaluation after the last step
  std::optional<double> train_loss;         // mean of the last 20 steps
  std::optional<double> tokens_per_second;  // over the steps of this process
  std::string reason;                       // why it ended before the last step
};

class RunLoop {
 public:
  // `requests`: a stop ends the run after the step under way, and cuts an evaluation or sample off,
  // which is then due again on resume. A run that goes on takes its last losses and evaluations
  // from the run's metrics. `fs`: where checkpoints are saved, by another thread with
  // checkpoint.async.
  RunLoop(Session& session, Fs& fs, std::vector<Observer*> observers, StopRequests& requests);
  // Throws IoError when a checkpoint cannot be saved, for want of room as checkpoint.on_disk_full
  // says; the run can then be resumed from the last.
  RunOutcome run();

  // Before run(): no checkpoint of the end, for a run that nobody will go on with. One that is
  // asked to stop is saved nevertheless.
  void leave_unsaved() { unsaved_ = true; }
  // For observers, in a step: the run is lost and ends after it, as kEarly with this reason,
  // without another evaluation or checkpoint.
  void give_up(std::string reason) { given_up_ = std::move(reason); }

 private:
  void read_past();
  void measure_start();
  bool one_step();
  void between_steps();
  void note_loss(double loss);
  void note_evaluation(double loss);
  void evaluate();
  void sample();
  void begin_save();
  void end_save(bool wait);
  void note_saved(const SavedCheckpoint& saved);
  void no_room(const IoError& error);
  void wait_for_room(const IoError& error);
  void warn(const std::string& text);
  void last_save();
  bool due(int64_t every) const;
  bool lost_progress() const;
  RunOutcome outcome(RunEnd end, std::string reason) const;
  RunOutcome diverged();
  RunOutcome ended_by_observer();
  bool evaluated() const;
  void keep_time_back();
  template <class F>
  void until_stopped(F&& f);
  template <class F>
  void tell(F&& f) {
    for (Observer* o : observers_) f(*o);
  }

  Trainer& trainer_;
  const RunDir& dir_;
  std::vector<Observer*> observers_;
  StopRequests& requests_;
  Saver saver_;
  std::string lost_;  // what is not finite; empty: all is well
  StepResult last_;
  std::vector<double> recent_;  // losses of the last 20 steps, a ring
  size_t recent_at_ = 0;
  double seconds_ = 0;
  double longest_step_ = 0, longest_save_;  // seconds
  int64_t tokens_here_ = 0;
  std::optional<double> val_loss_;
  EvaluationProgress progress_;
  int64_t evaluated_at_ = -1, sampled_at_ = -1, saved_at_ = -1;
  bool ending_ = false;  // no later step will save
  bool unsaved_ = false;
  std::string given_up_;
};

}  // namespace keel
