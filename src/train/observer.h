// Who watches a run. The loop calls observers in order after each event; none of them can change a
// number of the run.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "train/trainer.h"

namespace keel {

struct Evaluation {
  int64_t step = 0;
  EvalResult result;
  std::optional<EvalResult> averaged;  // of the moving average of the weights
};

struct Observer {
  virtual ~Observer() = default;
  // Before the first step of a run, unless log.probes = 0.
  virtual void on_start(const Trainer&, const StartMeasures&) {}
  // `seconds`: wall time of the step, without evaluation, samples and saving.
  virtual void on_step(const Trainer&, const StepResult&, double /*seconds*/) {}
  virtual void on_eval(const Trainer&, const Evaluation&) {}
  virtual void on_sample(int64_t /*step*/, std::string_view /*text*/) {}
  // A checkpoint of that step is about to be saved: what belongs to the steps so far must be
  // committed before it is.
  virtual void before_checkpoint(int64_t /*step*/) {}
  // It stands; with checkpoint.async some steps later.
  virtual void on_checkpoint(int64_t /*step*/, const std::string& /*path*/) {}
  // kind: "warning", "stop", "early_stop", "diverged", "resume", ...
  virtual void on_event(int64_t /*step*/, std::string_view /*kind*/, std::string_view /*text*/) {}
};

}  // namespace keel
