// Writes down what happens in a run: the metrics store, TensorBoard's event files and a text file
// for each sample. None of them can stop training: what fails is said once, through the warning
// function.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "io/tfevents.h"
#include "train/metrics_log.h"
#include "train/observer.h"
#include "train/run_dir.h"

namespace keel {

class Recorder final : public Observer {
 public:
  // `resumed_at`: rows of later steps are removed first (0 for a new run).
  Recorder(const RunDir& dir, Fs& fs, const Trainer& trainer, int64_t resumed_at,
           std::function<void(const std::string&)> warn);

  void on_start(const Trainer& trainer, const StartMeasures& start) override;
  void on_step(const Trainer& trainer, const StepResult& result, double seconds) override;
  void on_eval(const Trainer& trainer, const Evaluation& evaluation) override;
  void on_sample(int64_t step, std::string_view text) override;
  void before_checkpoint(int64_t step) override;
  void on_checkpoint(int64_t step, const std::string& path) override;
  void on_event(int64_t step, std::string_view kind, std::string_view text) override;

 private:
  void put(int64_t step, std::string_view name, double value);
  void put_eval(int64_t step, std::string_view name, double value);
  void put_probes(int64_t step, const Probes& probes);
  void pass_on_warning();

  Fs& fs_;
  std::string samples_folder_;
  bool again_;  // the run was written to before
  MetricsLog store_;
  EventWriter events_;
  std::function<void(const std::string&)> warn_;
  std::vector<std::string> sources_;
  // Names of one layer's metrics.
  struct LayerNames {
    std::string logit, entropy, qkv, proj, fc1, fc2, update;
  };
  std::vector<LayerNames> layer_names_;
  bool events_failed_ = false, samples_failed_ = false;
  double now_ = 0;
};

}  // namespace keel
